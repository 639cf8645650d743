/** The heat map with all its parts as one SVG file that needs nothing else: colors are written in, text is escaped. Pure. */

import { formatSigned, formatToken } from '../../src/shared/format.ts';
import { isChange, restingValue } from '../../src/shared/sweepCell.ts';
import { type Palette, signedFill, toCss } from '../lib/color.ts';
import { escapeXml } from '../lib/escapeXml.ts';
import { say } from '../lib/strings.ts';
import { shortNumber, shortPercent } from '../marks/heatScale.ts';
import { cellLabel, facetName, lineText, metricName, type WordedSweep } from './cellWords.ts';
import { cellAt, type GridLayout } from './gridLayout.ts';
import { scaleTitle } from './scaleTitle.ts';

const [gutter, head, foot, margin] = [84, 44, 96, 12];
const rowHeight = 22;
/** Characters of a heading. */
const longestHeading = 16;
/** Cells beyond these have no spoken title of their own, since the file would be mostly titles. */
const titledCells = 4000;

interface Drawing {
  readonly sweep: WordedSweep;
  readonly layout: GridLayout;
  readonly scale: number;
  readonly palette: Palette;
  readonly columnWidth: number;
  readonly facetHeight: number;
}

/** The drawing in the colors of `palette`: every part under the other. */
export function sweepSvg(
  sweep: WordedSweep,
  layout: GridLayout,
  title: string,
  scale: number,
  palette: Palette,
): string {
  const { columns, facets, rows } = layout;
  const columnWidth = columns.length <= 24 ? 40 : 18;
  const facetHeight = rows.length * rowHeight + (facets.length > 1 ? 24 : 0) + foot;
  const drawing: Drawing = { sweep, layout, scale, palette, columnWidth, facetHeight };
  const width = Math.max(420, gutter + columns.length * columnWidth + margin);
  const height = head + facets.length * facetHeight + 56;
  const { clean, corrupted, metric } = sweep.outline;
  const totals = say('sweepScale', {
    metric: metricName(metric),
    clean: formatSigned(clean),
    corrupted: formatSigned(corrupted),
  });
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="system-ui, sans-serif" font-size="11" fill="${toCss(palette.foreground)}">`,
    `<title>${escapeXml(title)}</title>`,
    '<defs><pattern id="negative" width="5" height="5" patternUnits="userSpaceOnUse"><path d="M0 5L5 0" stroke="currentColor" stroke-width="0.8" opacity="0.5"/></pattern></defs>',
    `<rect width="${width}" height="${height}" fill="${toCss(palette.background)}"/>`,
    `<text x="${margin}" y="19" font-size="13" font-weight="600">${escapeXml(title)}</text>`,
    `<text x="${margin}" y="36" opacity="0.75">${escapeXml(totals)}</text>`,
    ...facets.flatMap((_, facet) => facetLines(drawing, facet)),
    ...legendLines(drawing, height - 40),
    '</svg>',
  ].join('\n')}\n`;
}

function facetLines(drawing: Drawing, facet: number): readonly string[] {
  const { columnWidth, facetHeight, layout, sweep } = drawing;
  const { columns, facets, rows } = layout;
  const isNamed = facets.length > 1;
  const top = isNamed ? 24 : 0;
  const name = isNamed
    ? `<text x="0" y="15" font-weight="600">${escapeXml(facetName(facets[facet]!))}</text>`
    : '';
  const left = (column: number): number => column * columnWidth;
  return [
    `<g transform="translate(${gutter} ${head + facet * facetHeight})">`,
    name,
    ...rows.flatMap((line, row) => [
      `<text x="-8" y="${top + row * rowHeight + 15}" text-anchor="end">${short(lineText(sweep.outline, line))}</text>`,
      ...columns.map((_, column) => cellLine(drawing, { facet, row, column }, top)),
    ]),
    ...columns.map((line, column) => {
      const [x, y] = [left(column) + columnWidth / 2 + 4, top + rows.length * rowHeight + 8];
      const text = short(lineText(sweep.outline, line));
      return `<text transform="translate(${x} ${y}) rotate(-90)" text-anchor="end" font-family="monospace">${text}</text>`;
    }),
    '</g>',
  ].filter((line) => line !== '');
}

function cellLine(
  { columnWidth, layout, palette, scale, sweep }: Drawing,
  spot: { readonly facet: number; readonly row: number; readonly column: number },
  top: number,
): string {
  const cell = cellAt(layout, spot);
  if (cell < 0) return '';
  const [x, y] = [spot.column * columnWidth, top + spot.row * rowHeight];
  const box = `x="${x}" y="${y}" width="${columnWidth - 1}" height="${rowHeight - 1}"`;
  const value = (sweep.values[cell] ?? Number.NaN) - restingValue(sweep.question);
  if (Number.isNaN(value)) {
    return `<rect ${box} fill="none" stroke="${toCss(palette.foreground)}" stroke-opacity="0.25" stroke-dasharray="2 2"/>`;
  }
  const fill = signedFill(value / scale, palette);
  const title =
    layout.spots.length <= titledCells ? `<title>${escapeXml(cellLabel(sweep, cell))}</title>` : '';
  const hatch = value / scale < -0.02 ? `<rect ${box} fill="url(#negative)" color="${fill.text}"/>` : '';
  const number =
    columnWidth >= 32
      ? `<text x="${x + columnWidth / 2}" y="${y + 15}" text-anchor="middle" font-size="10" fill="${fill.text}">${isChange(sweep.question) ? shortPercent(value) : shortNumber(value)}</text>`
      : '';
  return `<g>${title}<rect ${box} fill="${fill.background}"/>${hatch}${number}</g>`;
}

/** The ramp with its ticks, under the words for what it measures. */
function legendLines({ palette, scale, sweep }: Drawing, y: number): readonly string[] {
  const [steps, width] = [21, 10];
  const isPercent = isChange(sweep.question);
  const text = (share: number): string =>
    isPercent ? `${formatSigned(100 * share * scale)} %` : formatSigned(share * scale);
  const boxes = Array.from({ length: steps }, (_, i) => {
    const share = (2 * i) / (steps - 1) - 1;
    const box = `x="${margin + i * width}" y="${y + 6}" width="${width}" height="10"`;
    const hatch = share < 0 ? `<rect ${box} fill="url(#negative)"/>` : '';
    return `<rect ${box} fill="${signedFill(share, palette).background}"/>${hatch}`;
  });
  const ends = [
    [-1, 'start'],
    [0, 'middle'],
    [1, 'end'],
  ] as const;
  const ticks = ends.map(([share, anchor]) => {
    const x = margin + ((share + 1) / 2) * steps * width;
    return `<text x="${x}" y="${y + 29}" text-anchor="${anchor}">${text(share)}</text>`;
  });
  return [`<text x="${margin}" y="${y}">${escapeXml(scaleTitle(sweep))}</text>`, ...boxes, ...ticks];
}

/** A heading, visible and no longer than there is room for. */
function short(text: string): string {
  const shown = [
    ...text
      .split(' ')
      .map(formatToken)
      .join(text.startsWith(' ') ? '·' : ' '),
  ];
  const cut =
    shown.length > longestHeading ? `${shown.slice(0, longestHeading - 1).join('')}…` : shown.join('');
  return escapeXml(cut);
}
