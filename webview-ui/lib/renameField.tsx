/** A field in the place of a name: Enter or leaving it takes the new name, Escape the old one. */

import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

/** The field; it has the focus while it is there and gives it back afterwards. */
export function RenameField(props: {
  readonly label: string;
  readonly value: string;
  readonly longest: number;
  readonly onRename: (value: string) => void;
  readonly onCancel: () => void;
}): JSX.Element {
  const field = useRef<HTMLInputElement>(null);
  const done = useRef(false);

  useEffect(() => {
    const before = document.activeElement;
    field.current?.focus();
    field.current?.select();
    return () => {
      if (before instanceof HTMLElement && before.isConnected && document.activeElement === document.body)
        before.focus({ preventScroll: true });
    };
  }, []);

  const finish = (end: () => void): void => {
    if (done.current) return;
    done.current = true;
    end();
  };
  return (
    <input
      ref={field}
      class="rename"
      type="text"
      aria-label={props.label}
      // Not `value`: what is being typed outlives a drawing of the panel.
      defaultValue={props.value}
      maxLength={props.longest}
      onKeyDown={(event) => {
        event.stopPropagation();
        if (event.key === 'Enter') finish(() => props.onRename(event.currentTarget.value));
        if (event.key === 'Escape') finish(props.onCancel);
      }}
      onBlur={(event) => {
        const { value } = event.currentTarget;
        finish(() => props.onRename(value));
      }}
    />
  );
}
