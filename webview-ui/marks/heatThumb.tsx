/** A heat map as a small picture, one of many: same colors, a line through what is below zero, gray for unknown cells. */

import type { JSX } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { mix, type Palette, type Rgb } from '../lib/color.ts';

/** What is drawn: `[row, column]` effects, NaN where nothing is known. */
export interface HeatThumbProps {
  readonly values: Float32Array;
  readonly rows: number;
  readonly columns: number;
  readonly scale: number;
  readonly palette: Palette;
  /** Longest side, in pixels. */
  readonly side: number;
}

/** Pixels of a row in a picture that is wider than high. */
const tallest = 10;

/** Cells of this width have room for a line. */
const struckWidth = 4;

/** Colors between zero and either end of the scale. */
const shades = 64;

interface CellSize {
  readonly width: number;
  readonly height: number;
}

/** The picture; the button around it carries the name. */
export function HeatThumb(props: HeatThumbProps): JSX.Element {
  const canvas = useRef<HTMLCanvasElement>(null);
  const drawn = useRef<HeatThumbProps | undefined>(undefined);
  const { rows, columns, side } = props;
  // A long prompt has few layers and many positions: its cells are higher than wide.
  const width = Math.max(1, Math.floor(Math.max(side, columns) / columns));
  const height = Math.max(2, Math.min(Math.max(width, tallest), Math.floor(side / rows)));
  // Small cells are a pixel each, drawn at once and enlarged by the style: a picture may have thousands.
  const isLarge = width >= struckWidth;
  useLayoutEffect(() => {
    // While a sweep runs most of its pictures stay as they are.
    if (drawn.current && isSamePicture(drawn.current, props)) return;
    const context = canvas.current?.getContext('2d');
    if (!context) return;
    drawn.current = props;
    if (isLarge) drawLarge(context, props, { width, height });
    else drawPixels(context, props);
  });
  return (
    <span aria-hidden="true">
      <canvas
        ref={canvas}
        class="heat-thumb"
        width={isLarge ? columns * width : columns}
        height={isLarge ? rows * height : rows}
        style={{ width: `${columns * width}px`, height: `${rows * height}px` }}
      />
    </span>
  );
}

function isSamePicture(before: HeatThumbProps, now: HeatThumbProps): boolean {
  const { columns, palette, rows, scale, side, values } = before;
  if (columns !== now.columns || rows !== now.rows || scale !== now.scale || side !== now.side) return false;
  if (palette !== now.palette) return false;
  for (let place = 0; place < values.length; place++) {
    if (!Object.is(values[place], now.values[place])) return false;
  }
  return true;
}

function drawPixels(context: CanvasRenderingContext2D, props: HeatThumbProps): void {
  const { values, scale, palette, rows, columns } = props;
  const image = context.createImageData(columns, rows);
  const pixels = new Uint32Array(image.data.buffer);
  const colors = pixelColors(palette);
  const unknown = colors[colors.length - 1]!;
  for (let place = 0; place < pixels.length; place++) {
    const share = Math.max(-1, Math.min(1, values[place]! / scale));
    pixels[place] = Number.isNaN(share) ? unknown : colors[Math.round((share + 1) * shades)]!;
  }
  context.putImageData(image, 0, 0);
}

/** Colors from −1 to 1 and that of unknown cells, as the canvas keeps them: a byte each for red, green, blue and opacity. */
function pixelColors(palette: Palette): Uint32Array {
  const bytes = new Uint8ClampedArray(4 * (2 * shades + 2));
  for (let shade = 0; shade <= 2 * shades; shade++) {
    bytes.set([...colorOf(shade / shades - 1, palette), 255], 4 * shade);
  }
  bytes.set([...colorOf(Number.NaN, palette), 255], 4 * (2 * shades + 1));
  return new Uint32Array(bytes.buffer);
}

function drawLarge(
  context: CanvasRenderingContext2D,
  { values, scale, palette, rows, columns }: HeatThumbProps,
  { width, height }: CellSize,
): void {
  context.clearRect(0, 0, columns * width, rows * height);
  for (let place = 0; place < rows * columns; place++) {
    const share = (values[place] ?? Number.NaN) / scale;
    const [x, y] = [(place % columns) * width, Math.floor(place / columns) * height];
    context.fillStyle = css(colorOf(share, palette));
    context.fillRect(x, y, width, height);
    if (share < -0.1) strike(context, x, y, { width, height }, palette);
  }
}

function colorOf(share: number, { background, foreground, negative, positive }: Palette): Rgb {
  if (Number.isNaN(share)) return mix(background, foreground, 0.09);
  return mix(background, share < 0 ? negative : positive, Math.min(1, Math.abs(share)));
}

/** The sign must not hang on the color. */
function strike(
  context: CanvasRenderingContext2D,
  x: number,
  y: number,
  { width, height }: CellSize,
  { background }: Palette,
): void {
  context.strokeStyle = css(background);
  context.lineWidth = 1;
  context.beginPath();
  context.moveTo(x + 0.5, y + height - 0.5);
  context.lineTo(x + width - 0.5, y + 0.5);
  context.stroke();
}

function css(color: Rgb): string {
  return `rgb(${color.map(Math.round).join(' ')})`;
}
