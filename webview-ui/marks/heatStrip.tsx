/** A prompt as a row of tokens with heat: fill for an activation, underline for the probability it was given. */

import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { Fill } from '../lib/color.ts';
import { lineNeighbor, rovingIndex } from '../lib/keys.ts';
import { PureComponent } from '../lib/pureComponent.ts';
import { tokenParts } from '../lib/tokenText.tsx';

/** One token as it is drawn. */
export interface Chip {
  readonly text: string;
  readonly label: string;
  readonly fill: Fill;
  /** Probability it was given, 0 to 1; NaN when there is none. */
  readonly given: number;
  /** The other prompt's token here; '' when it has none. */
  readonly other?: string;
  readonly differs: boolean;
  /** A line of the document ends after this token. */
  readonly endsLine: boolean;
  /** A mark of the tokenizer rather than text. */
  readonly special: boolean;
}

/** What a strip shows and tells. The handlers should stay the same functions between draws. */
export interface HeatStripProps {
  readonly label: string;
  readonly chips: readonly Chip[];
  readonly selected: number;
  readonly highlighted: number | undefined;
  readonly onSelect: (position: number) => void;
  readonly onHover: (position: number | undefined) => void;
  readonly onOpen: () => void;
  readonly onEscape: () => void;
}

/** The strip: one tab stop; arrows, Home and End move the selection. */
export function HeatStrip(props: HeatStripProps): JSX.Element {
  const strip = useRef<HTMLDivElement>(null);
  const latest = useRef(props);
  latest.current = props;
  const handlers = useRef<ChipHandlers>(makeHandlers(strip, latest)).current;
  const tabStop = props.selected >= 0 && props.selected < props.chips.length ? props.selected : 0;

  useEffect(() => {
    chipAt(strip.current, props.selected)?.scrollIntoView({ block: 'nearest' });
  }, [props.selected]);

  const paired = props.chips.some((chip) => chip.other !== undefined);
  return (
    <div ref={strip} class={paired ? 'strip strip-paired' : 'strip'} role="toolbar" aria-label={props.label}>
      {props.chips.map((chip, position) => (
        <ChipButton
          key={position}
          chip={chip}
          position={position}
          selected={position === props.selected}
          highlighted={position === props.highlighted}
          tabStop={position === tabStop}
          handlers={handlers}
        />
      ))}
    </div>
  );
}

interface ChipHandlers {
  readonly click: (event: Event) => void;
  readonly enter: (event: Event) => void;
  readonly leave: () => void;
  readonly keyDown: (event: KeyboardEvent) => void;
}

interface ChipProps {
  readonly chip: Chip;
  readonly position: number;
  readonly selected: boolean;
  readonly highlighted: boolean;
  readonly tabStop: boolean;
  readonly handlers: ChipHandlers;
}

class ChipButton extends PureComponent<ChipProps> {
  override render({ chip, position, selected, highlighted, tabStop, handlers }: ChipProps): JSX.Element {
    const given = Number.isNaN(chip.given) ? 0 : chip.given;
    const classes = ['chip'];
    if (highlighted) classes.push('chip-lit');
    if (chip.special) classes.push('chip-special');
    const button = (
      <button
        type="button"
        class={classes.join(' ')}
        data-position={position}
        aria-label={chip.label}
        aria-current={selected ? 'true' : undefined}
        tabIndex={tabStop ? 0 : -1}
        onClick={handlers.click}
        onMouseEnter={handlers.enter}
        onMouseLeave={handlers.leave}
        onFocus={handlers.enter}
        onBlur={handlers.leave}
        onKeyDown={handlers.keyDown}
      >
        <span
          class="chip-token token"
          style={{
            backgroundColor: chip.fill.background,
            color: chip.fill.text,
            '--given': `${(given * 100).toFixed(1)}%`,
          }}
        >
          {tokenParts(chip.text)}
        </span>
      </button>
    );
    return (
      <>
        {chip.other === undefined ? button : <Pair chip={chip}>{button}</Pair>}
        {chip.endsLine && <span class="line-end" />}
      </>
    );
  }
}

/** A chip with the other prompt's token under it; the chip's label says both. */
function Pair(props: { readonly chip: Chip; readonly children: JSX.Element }): JSX.Element {
  const { other, differs } = props.chip;
  return (
    <span class={differs ? 'pair pair-differs' : 'pair'}>
      {props.children}
      <span class="chip-other token" aria-hidden="true">
        {other ? tokenParts(other) : '∅'}
      </span>
    </span>
  );
}

function makeHandlers(
  strip: { readonly current: HTMLDivElement | null },
  latest: { readonly current: HeatStripProps },
): ChipHandlers {
  const positionOf = (event: Event): number =>
    Number((event.currentTarget as HTMLElement).dataset.position ?? -1);
  const go = (event: Event, position: number): void => {
    event.preventDefault();
    latest.current.onSelect(position);
    chipAt(strip.current, position)?.focus();
  };
  return {
    click: (event) => latest.current.onSelect(positionOf(event)),
    enter: (event) => latest.current.onHover(positionOf(event)),
    leave: () => latest.current.onHover(undefined),
    keyDown: (event) => {
      const position = positionOf(event);
      if (event.key === 'Enter') {
        event.preventDefault();
        latest.current.onSelect(position);
        return latest.current.onOpen();
      }
      if (event.key === 'Escape') return latest.current.onEscape();
      if (event.key === 'ArrowUp') return go(event, neighbor(strip.current, position, -1));
      if (event.key === 'ArrowDown') return go(event, neighbor(strip.current, position, 1));
      const next = rovingIndex(event.key, position, latest.current.chips.length, 'horizontal');
      if (next !== undefined) go(event, next);
    },
  };
}

function chipAt(strip: HTMLElement | null, position: number): HTMLElement | null {
  return strip?.querySelector<HTMLElement>(`[data-position="${position}"]`) ?? null;
}

function neighbor(strip: HTMLElement | null, position: number, direction: 1 | -1): number {
  const chips = [...(strip?.querySelectorAll<HTMLElement>('.chip') ?? [])];
  const boxes = chips.map((chip) => ({
    left: chip.offsetLeft,
    top: chip.offsetTop,
    width: chip.offsetWidth,
  }));
  return lineNeighbor(boxes, position, direction);
}
