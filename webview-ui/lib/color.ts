/** Colors as numbers: parsing what the browser computes, mixing, and text that stays readable on a fill. */

/** Red, green, blue from 0 to 255. */
export type Rgb = readonly [number, number, number];

/** The colors of the theme that fills are computed from. */
export interface Palette {
  readonly background: Rgb;
  readonly foreground: Rgb;
  readonly heat: Rgb;
  readonly positive: Rgb;
  readonly negative: Rgb;
}

/** A fill and the text color that is readable on it, as CSS. */
export interface Fill {
  readonly background: string;
  readonly text: string;
}

/** Least contrast between text and its background (WCAG 2.2, 1.4.3). */
const leastContrast = 4.5;

/** Parses `rgb(…)`, `rgba(…)`, `color(srgb …)` and `#rrggbb`; a transparent color is laid over `under`. */
export function parseColor(css: string, under: Rgb = [0, 0, 0]): Rgb | undefined {
  const hex = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})/i.exec(css.trim());
  if (hex) return [parseInt(hex[1]!, 16), parseInt(hex[2]!, 16), parseInt(hex[3]!, 16)];
  const call = /^(rgba?|color)\(\s*(?:srgb\s+)?([^)]+)\)$/i.exec(css.trim());
  if (!call) return undefined;
  const numbers = call[2]!.split(/[\s,/]+/).map(Number.parseFloat);
  if (numbers.length < 3 || numbers.some(Number.isNaN)) return undefined;
  const scale = call[1]!.toLowerCase() === 'color' ? 255 : 1;
  const color: Rgb = [numbers[0]! * scale, numbers[1]! * scale, numbers[2]! * scale];
  return mix(under, color, numbers[3] ?? 1);
}

/** `(1 − share) a + share b`, channel by channel. */
export function mix(a: Rgb, b: Rgb, share: number): Rgb {
  return [0, 1, 2].map((i) => a[i]! + (b[i]! - a[i]!) * share) as unknown as Rgb;
}

/** The color as CSS. */
export function toCss(color: Rgb): string {
  return `rgb(${color.map(Math.round).join(' ')})`;
}

/** Contrast ratio of two colors, from 1 to 21 (WCAG 2.2). */
export function contrastRatio(a: Rgb, b: Rgb): number {
  const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

function luminance(color: Rgb): number {
  const [r, g, b] = color.map((channel) => {
    const c = channel / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** The theme's text color where it is readable on `background`, else whichever of black and white is. */
export function readableText(background: Rgb, foreground: Rgb): Rgb {
  if (contrastRatio(background, foreground) >= leastContrast) return foreground;
  const black: Rgb = [0, 0, 0];
  const white: Rgb = [255, 255, 255];
  return contrastRatio(background, black) >= contrastRatio(background, white) ? black : white;
}

/** Fill for a share from 0 (background) to 1 (full heat). Negative shares take the negative color. */
export function heatFill(share: number, palette: Palette): Fill {
  const size = Number.isFinite(share) ? Math.min(1, Math.abs(share)) : 0;
  const exact = mix(palette.background, share < 0 ? palette.negative : palette.heat, size);
  // Text is chosen for the color that is drawn, which has whole numbers.
  const background = exact.map(Math.round) as unknown as Rgb;
  return { background: toCss(background), text: toCss(readableText(background, palette.foreground)) };
}

/** Fill for a probability or effect of either sign, from −1 to 1. */
export function signedFill(share: number, palette: Palette): Fill {
  return heatFill(share, { ...palette, heat: palette.positive });
}
