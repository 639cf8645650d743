/** Points of several kinds on a plane. Two like quantities share a scale and the diagonal on which both are the same. */

import { scaleLinear } from 'd3-scale';
import type { JSX } from 'preact';

/** What a point is drawn as; kinds differ by form, not by color alone. A dot stands behind the others. */
export type Glyph = 'circle' | 'square' | 'triangle' | 'star' | 'openStar' | 'dot';

/** One point. */
export interface ScatterPoint {
  readonly x: number;
  readonly y: number;
  readonly glyph: Glyph;
  /** What it is, as it is read under the pointer. */
  readonly title: string;
  /** Written beside the point where there is room; earlier points come first. */
  readonly name?: string;
}

interface PlotProps {
  readonly points: readonly ScatterPoint[];
  readonly label: string;
  readonly across: string;
  readonly up: string;
  /** What it means to lie on the diagonal, for two like quantities. */
  readonly diagonal?: string;
}

type Scale = (value: number) => number;

/** Size of the drawing, which scales to its place. */
const size = { width: 380, height: 320, left: 48, right: 14, top: 10, bottom: 40 } as const;
const [bottom, right] = [size.height - size.bottom, size.width - size.right];
/** Room that a name takes. */
const nameBox = { width: 30, height: 12 } as const;

/** The plot; a table beside it is its twin for a screen reader. */
export function ScatterPlot(props: PlotProps): JSX.Element {
  const { diagonal, points } = props;
  const xs = points.map(({ x }) => x);
  const ys = points.map(({ y }) => y);
  const across = scaleLinear(extent(diagonal ? [...xs, ...ys] : xs), [size.left, right]).nice(5);
  const up = scaleLinear(diagonal ? across.domain() : extent(ys), [bottom, size.top]);
  if (!diagonal) up.nice(5);
  const [low = 0, high = 1] = across.domain();
  // Dots lie under what has a kind of its own.
  const drawn = [...points].sort((a, b) => Number(b.glyph === 'dot') - Number(a.glyph === 'dot'));
  return (
    <svg class="scatter" viewBox={`0 0 ${size.width} ${size.height}`} role="img" aria-label={props.label}>
      <Ticks across={across} up={up} />
      {diagonal && <Diagonal across={across} up={up} ends={[low, high]} text={diagonal} />}
      <text class="scatter-axis" x={(size.left + right) / 2} y={size.height - 6} text-anchor="middle">
        {props.across}
      </text>
      <text
        class="scatter-axis"
        transform={`translate(12 ${(size.top + bottom) / 2}) rotate(-90)`}
        text-anchor="middle"
      >
        {props.up}
      </text>
      {drawn.map((point, i) => (
        <g key={i} transform={`translate(${across(point.x)} ${up(point.y)})`}>
          <title>{point.title}</title>
          <GlyphPath glyph={point.glyph} />
        </g>
      ))}
      {placeNames(points, across, up).map(({ name, x, y, anchor }) => (
        <text key={name} class="scatter-name" x={x} y={y} text-anchor={anchor}>
          {name}
        </text>
      ))}
    </svg>
  );
}

interface Ticked extends Scale {
  ticks(count: number): number[];
}

function Ticks({ across, up }: { readonly across: Ticked; readonly up: Ticked }): JSX.Element {
  const text = (value: number): string => String(Number(value.toPrecision(3))).replace('-', '−');
  const kind = (tick: number): string => (tick === 0 ? 'scatter-tick scatter-zero' : 'scatter-tick');
  return (
    <>
      {across.ticks(5).map((tick) => (
        <g key={`x${tick}`} class={kind(tick)}>
          <line x1={across(tick)} x2={across(tick)} y1={size.top} y2={bottom} />
          <text x={across(tick)} y={bottom + 14} text-anchor="middle">
            {text(tick)}
          </text>
        </g>
      ))}
      {up.ticks(5).map((tick) => (
        <g key={`y${tick}`} class={kind(tick)}>
          <line y1={up(tick)} y2={up(tick)} x1={size.left} x2={right} />
          <text x={size.left - 6} y={up(tick) + 3.5} text-anchor="end">
            {text(tick)}
          </text>
        </g>
      ))}
    </>
  );
}

/** The line and, along its beginning, what it means. */
function Diagonal(props: {
  readonly across: Scale;
  readonly up: Scale;
  readonly ends: readonly [number, number];
  readonly text: string;
}): JSX.Element {
  const { across, ends, text, up } = props;
  const [low, high] = ends;
  const angle = (-180 / Math.PI) * Math.atan2(up(low) - up(high), across(high) - across(low));
  return (
    <>
      <line class="scatter-diagonal" x1={across(low)} y1={up(low)} x2={across(high)} y2={up(high)} />
      <text
        class="scatter-note"
        transform={`translate(${across(low)} ${up(low)}) rotate(${angle})`}
        x={10}
        y={-5}
      >
        {text}
      </text>
    </>
  );
}

interface PlacedName {
  readonly name: string;
  readonly x: number;
  readonly y: number;
  readonly anchor: 'start' | 'end';
}

/** Names beside their points, but for those that would lie on one before. */
function placeNames(points: readonly ScatterPoint[], across: Scale, up: Scale): readonly PlacedName[] {
  const placed: PlacedName[] = [];
  for (const { name, x, y } of points) {
    if (name === undefined) continue;
    const isLeft = across(x) > right - nameBox.width;
    const here: PlacedName = {
      name,
      x: across(x) + (isLeft ? -7 : 7),
      y: up(y) + 3.5,
      anchor: isLeft ? 'end' : 'start',
    };
    const isFree = placed.every(
      (other) => Math.abs(other.x - here.x) >= nameBox.width || Math.abs(other.y - here.y) >= nameBox.height,
    );
    if (isFree) placed.push(here);
  }
  return placed;
}

const star = 'M0-6L1.6-1.8L6-1.8L2.5 0.9L3.8 5.2L0 2.6L-3.8 5.2L-2.5 0.9L-6-1.8L-1.6-1.8z';

const paths: Readonly<Record<Glyph, string>> = {
  circle: 'M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0',
  dot: 'M-2 0a2 2 0 1 0 4 0a2 2 0 1 0-4 0',
  square: 'M-4-4h8v8h-8z',
  triangle: 'M0-5.4L5 4H-5z',
  star,
  openStar: star,
};

function GlyphPath({ glyph }: { readonly glyph: Glyph }): JSX.Element {
  return <path class={`scatter-${glyph}`} d={paths[glyph]} />;
}

/** A glyph by itself, for a legend. */
export function ScatterKey({ glyph, name }: { readonly glyph: Glyph; readonly name: string }): JSX.Element {
  return (
    <span class="scatter-key">
      <svg viewBox="-8 -8 16 16" width="14" height="14" aria-hidden="true" focusable="false">
        <GlyphPath glyph={glyph} />
      </svg>
      {name}
    </span>
  );
}

/** From the least to the largest, with room for a mark there; never empty, and 0 is always in it. */
function extent(values: readonly number[]): readonly [number, number] {
  const finite = values.filter(Number.isFinite);
  const [least, most] = [Math.min(0, ...finite), Math.max(0, ...finite)];
  const room = 0.03 * (most - least);
  return room === 0 ? [0, 1] : [least < 0 ? least - room : 0, most > 0 ? most + room : 0];
}
