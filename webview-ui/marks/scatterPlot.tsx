/** Points of several kinds on a plane of two like quantities, with the diagonal on which both are the same. */

import { scaleLinear } from 'd3-scale';
import type { JSX } from 'preact';

/** What a point is drawn as; kinds differ by form, not by color alone. */
export type Glyph = 'circle' | 'square' | 'triangle' | 'star';

/** One point. */
export interface ScatterPoint {
  readonly x: number;
  readonly y: number;
  readonly glyph: Glyph;
  /** What it is, as it is read under the pointer. */
  readonly title: string;
}

/** Size of the drawing, which scales to its place. */
const size = { width: 380, height: 320, left: 46, right: 12, top: 10, bottom: 38 } as const;

/** The plot; a table beside it is its twin for a screen reader. */
export function ScatterPlot(props: {
  readonly points: readonly ScatterPoint[];
  readonly label: string;
  readonly across: string;
  readonly up: string;
  readonly diagonal: string;
}): JSX.Element {
  const { points } = props;
  const [least, most] = extent(points);
  const x = scaleLinear([least, most], [size.left, size.width - size.right]).nice(5);
  const [low = least, high = most] = x.domain();
  const y = scaleLinear([low, high], [size.height - size.bottom, size.top]);
  const ticks = x.ticks(5);
  const text = (value: number): string => String(Number(value.toPrecision(3))).replace('-', '−');
  return (
    <svg class="scatter" viewBox={`0 0 ${size.width} ${size.height}`} role="img" aria-label={props.label}>
      {ticks.map((tick) => (
        <g key={tick} class="scatter-tick">
          <line x1={x(tick)} x2={x(tick)} y1={size.top} y2={size.height - size.bottom} />
          <line y1={y(tick)} y2={y(tick)} x1={size.left} x2={size.width - size.right} />
          <text x={x(tick)} y={size.height - size.bottom + 14} text-anchor="middle">
            {text(tick)}
          </text>
          <text x={size.left - 6} y={y(tick) + 3.5} text-anchor="end">
            {text(tick)}
          </text>
        </g>
      ))}
      <line class="scatter-diagonal" x1={x(low)} y1={y(low)} x2={x(high)} y2={y(high)} />
      <text class="scatter-note" x={x(low + 0.62 * (high - low))} y={y(low + 0.5 * (high - low))}>
        {props.diagonal}
      </text>
      <text class="scatter-axis" x={(size.left + size.width) / 2} y={size.height - 6} text-anchor="middle">
        {props.across}
      </text>
      <text
        class="scatter-axis"
        transform={`translate(12 ${(size.top + size.height - size.bottom) / 2}) rotate(-90)`}
        text-anchor="middle"
      >
        {props.up}
      </text>
      {points.map((point, i) => (
        <g key={i} transform={`translate(${x(point.x)} ${y(point.y)})`}>
          <title>{point.title}</title>
          <GlyphPath glyph={point.glyph} />
        </g>
      ))}
    </svg>
  );
}

const paths: Readonly<Record<Glyph, string>> = {
  circle: 'M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0',
  square: 'M-4-4h8v8h-8z',
  triangle: 'M0-5.4L5 4H-5z',
  star: 'M0-6L1.6-1.8L6-1.8L2.5 0.9L3.8 5.2L0 2.6L-3.8 5.2L-2.5 0.9L-6-1.8L-1.6-1.8z',
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

/** From the least to the largest of both quantities; never empty, and 0 is always in it. */
function extent(points: readonly ScatterPoint[]): readonly [number, number] {
  const values = points.flatMap(({ x, y }) => [x, y]).filter(Number.isFinite);
  const [least, most] = [Math.min(0, ...values), Math.max(0, ...values)];
  return least === most ? [0, 1] : [least, most];
}
