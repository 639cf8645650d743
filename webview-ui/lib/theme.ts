/** The theme's colors as numbers for fills and canvases; read again whenever VS Code changes the theme. */

import { type ReadonlySignal, signal } from '@preact/signals';
import { type Palette, parseColor, type Rgb } from './color.ts';

const dark: Palette = {
  background: [31, 31, 31],
  foreground: [204, 204, 204],
  heat: [209, 134, 22],
  positive: [55, 148, 255],
  negative: [241, 76, 76],
};

const current = signal<Palette>(dark);

/** The palette of the theme that is on. */
export const palette: ReadonlySignal<Palette> = current;

/** Reads the palette now and after every theme change. */
export function watchTheme(): void {
  current.value = readPalette();
  const observer = new MutationObserver(() => {
    const next = readPalette();
    if (JSON.stringify(next) !== JSON.stringify(current.peek())) current.value = next;
  });
  // VS Code writes the variables into the style of <html> and the kind of theme into the class of <body>.
  observer.observe(document.documentElement, { attributes: true, attributeFilter: ['style', 'class'] });
  observer.observe(document.body, { attributes: true, attributeFilter: ['class', 'data-vscode-theme-id'] });
}

function readPalette(): Palette {
  const probe = document.createElement('span');
  document.body.append(probe);
  const read = (name: string, fallback: Rgb, under?: Rgb): Rgb => {
    probe.style.color = `var(${name})`;
    return parseColor(getComputedStyle(probe).color, under) ?? fallback;
  };
  const background = read('--fovea-background', dark.background);
  const colors: Palette = {
    background,
    foreground: read('--fovea-foreground', dark.foreground, background),
    heat: read('--fovea-heat', dark.heat, background),
    positive: read('--fovea-positive', dark.positive, background),
    negative: read('--fovea-negative', dark.negative, background),
  };
  probe.remove();
  return colors;
}
