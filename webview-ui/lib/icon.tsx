/** The few line icons of the views, drawn on a 16 × 16 grid in the color of the text. */

import type { JSX } from 'preact';

const paths = {
  pin: 'M6 2.5h4M6.8 2.5v4L4.5 9v.8h7V9L9.2 6.5v-4M8 9.8v3.7',
  ablate: 'M8 2.5a5.5 5.5 0 1 0 0 11a5.5 5.5 0 1 0 0-11M4.2 11.8L11.8 4.2',
  steer:
    'M2.5 5h4.5M11 5h2.5M9 3.2a1.8 1.8 0 1 0 0 3.6a1.8 1.8 0 1 0 0-3.6M2.5 11h2M8.5 11h5M6.5 9.2a1.8 1.8 0 1 0 0 3.6a1.8 1.8 0 1 0 0-3.6',
  copy: 'M6 5.5h7v8h-7zM10 5.5v-3h-7v8h3',
  chevron: 'M6 3.5L10.5 8L6 12.5',
  up: 'M3.5 10L8 5.5L12.5 10',
  down: 'M3.5 6L8 10.5L12.5 6',
  close: 'M4 4l8 8M12 4l-8 8',
  trash: 'M3 4.5h10M6.5 4.5v-2h3v2M4.3 4.5l.6 9h6.2l.6-9M6.8 7v4M9.2 7v4',
  undo: 'M6.5 3L3.5 6l3 3M3.5 6h5.5a3.5 3.5 0 0 1 0 7h-3',
  redo: 'M9.5 3L12.5 6l-3 3M12.5 6H7a3.5 3.5 0 0 0 0 7h3',
  search: 'M7 2.5a4.5 4.5 0 1 0 0 9a4.5 4.5 0 1 0 0-9M10.3 10.3L13.5 13.5',
  compare: 'M2.5 4h4.5v8h-4.5zM9 4h4.5v8h-4.5zM8 2v12',
  export: 'M8 2.5v7M5 6.8l3 3l3-3M3 11v2.5h10v-2.5',
  save: 'M3 3h8l2 2v8h-10zM5.5 3v3.5h5v-3.5M5 13v-4h6v4',
  pencil: 'M3 13l.7-2.8L10.8 3l2.2 2.2L5.8 12.3zM9.5 4.4l2.1 2.1',
  plus: 'M8 3v10M3 8h10',
  minus: 'M3 8h10',
  fit: 'M2.5 6v-3.5h3.5M10 2.5h3.5v3.5M13.5 10v3.5h-3.5M6 13.5h-3.5v-3.5',
  warning: 'M8 2.5L14 13.5H2zM8 6.5v3.5M8 11.5v.6',
  refresh: 'M13 8a5 5 0 1 1-1.5-3.6M13 2.5v2.5h-2.5',
} as const;

/** Names of the icons there are. */
export type IconName = keyof typeof paths;

/** An icon; the button around it carries the name. */
export function Icon({
  name,
  filled = false,
}: {
  readonly name: IconName;
  readonly filled?: boolean;
}): JSX.Element {
  return (
    <svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">
      <path
        d={paths[name]}
        fill={filled ? 'currentColor' : 'none'}
        stroke="currentColor"
        stroke-width="1.1"
        stroke-linecap="round"
        stroke-linejoin="round"
      />
    </svg>
  );
}

/** A square button with an icon and a name for everyone else. */
export function IconButton(props: {
  readonly icon: IconName;
  readonly label: string;
  readonly title?: string;
  readonly pressed?: boolean;
  readonly tabIndex?: number;
  readonly disabled?: boolean;
  readonly onClick: () => void;
}): JSX.Element {
  return (
    <button
      type="button"
      class="icon-button"
      aria-label={props.label}
      title={props.title ?? props.label}
      aria-pressed={props.pressed}
      tabIndex={props.tabIndex}
      disabled={props.disabled}
      onClick={props.onClick}
    >
      <Icon name={props.icon} filled={props.pressed === true} />
    </button>
  );
}
