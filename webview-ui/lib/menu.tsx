/** A button that opens a menu of a few choices (ARIA Authoring Practices, Menu Button). */

import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { rovingIndex } from './keys.ts';

/** One choice. */
export interface MenuItem {
  readonly id: string;
  readonly title: string;
}

/** The button and, while it is open, the menu under it. Arrow keys move, Enter chooses, Escape closes. */
export function MenuButton(props: {
  readonly label: string;
  readonly items: readonly MenuItem[];
  /** Stands where the choices would, when there are none. */
  readonly none?: string;
  readonly onChoose: (id: string) => void;
  /** The button's class; a square one with an icon when left out. */
  readonly kind?: 'icon-button' | 'secondary';
  readonly children: ComponentChildren;
}): JSX.Element {
  const { items } = props;
  const [isOpen, setOpen] = useState(false);
  const root = useRef<HTMLSpanElement>(null);
  const button = useRef<HTMLButtonElement>(null);

  useEffect(() => {
    if (!isOpen) return;
    root.current?.querySelector<HTMLElement>('[role=menuitem]')?.focus();
    const away = (event: Event): void => {
      if (!root.current?.contains(event.target as Node)) setOpen(false);
    };
    document.addEventListener('pointerdown', away);
    return () => document.removeEventListener('pointerdown', away);
  }, [isOpen]);

  const close = (): void => {
    setOpen(false);
    button.current?.focus();
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (!isOpen) return;
    event.stopPropagation();
    const rows = [...(root.current?.querySelectorAll<HTMLElement>('[role=menuitem]') ?? [])];
    if (event.key === 'Escape') close();
    else if (event.key === 'Tab') setOpen(false);
    else {
      const next = rovingIndex(event.key, rows.indexOf(event.target as HTMLElement), rows.length, 'vertical');
      if (next === undefined) return;
      event.preventDefault();
      rows[next]?.focus();
    }
  };
  return (
    <span class="menu-anchor" ref={root}>
      <button
        ref={button}
        type="button"
        class={props.kind ?? 'icon-button'}
        aria-label={props.label}
        title={props.label}
        aria-haspopup="menu"
        aria-expanded={isOpen}
        onKeyDown={onKeyDown}
        onClick={() => setOpen(!isOpen)}
      >
        {props.children}
      </button>
      {isOpen && (
        <div class="menu" role="menu" aria-label={props.label} onKeyDown={onKeyDown}>
          {items.length === 0 && props.none !== undefined && (
            <div role="menuitem" class="menu-none" tabIndex={-1} aria-disabled="true">
              {props.none}
            </div>
          )}
          {items.map((item) => (
            <button
              key={item.id}
              type="button"
              role="menuitem"
              tabIndex={-1}
              onClick={() => {
                close();
                props.onChoose(item.id);
              }}
            >
              {item.title}
            </button>
          ))}
        </div>
      )}
    </span>
  );
}
