/** A row of tabs with one tab stop; arrow keys choose. */

import type { ComponentChildren, JSX } from 'preact';
import { useRef } from 'preact/hooks';
import { rovingIndex } from './keys.ts';

/** A tab's id and its name. */
export interface Tab<Id extends string> {
  readonly id: Id;
  readonly title: string;
}

/** The tab row and, under it, the panel of the chosen tab. */
export function Tabs<Id extends string>(props: {
  readonly label: string;
  readonly tabs: readonly Tab<Id>[];
  readonly chosen: Id;
  readonly choose: (id: Id) => void;
  /** Stands at the end of the row. */
  readonly aside?: ComponentChildren;
  readonly children: ComponentChildren;
}): JSX.Element {
  const row = useRef<HTMLDivElement>(null);
  const index = Math.max(
    0,
    props.tabs.findIndex((tab) => tab.id === props.chosen),
  );
  const onKeyDown = (event: KeyboardEvent): void => {
    const next = rovingIndex(event.key, index, props.tabs.length, 'horizontal');
    const tab = next === undefined ? undefined : props.tabs[next];
    if (!tab) return;
    event.preventDefault();
    props.choose(tab.id);
    row.current?.querySelectorAll<HTMLElement>('[role=tab]')[next!]?.focus();
  };
  return (
    <>
      <div class="tab-row">
        <div class="tabs" role="tablist" aria-label={props.label} ref={row}>
          {props.tabs.map((tab, i) => (
            <button
              key={tab.id}
              type="button"
              role="tab"
              id={`tab-${tab.id}`}
              aria-selected={i === index}
              aria-controls="tab-panel"
              tabIndex={i === index ? 0 : -1}
              onClick={() => props.choose(tab.id)}
              onKeyDown={onKeyDown}
            >
              {tab.title}
            </button>
          ))}
        </div>
        {props.aside}
      </div>
      <div
        class="tab-panel"
        role="tabpanel"
        id="tab-panel"
        ref={makeReachable}
        aria-labelledby={`tab-${props.tabs[index]?.id}`}
      >
        {props.children}
      </div>
    </>
  );
}

/** A panel of text alone scrolls by keyboard only when it can take the focus (ARIA Authoring Practices, Tabs). */
function makeReachable(panel: HTMLElement | null): void {
  if (panel) panel.tabIndex = 0;
}
