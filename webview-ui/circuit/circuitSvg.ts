/** The graph as one SVG file that needs nothing else: colors are written in, text is escaped. Pure. */

import type { CircuitGraph } from '../../src/shared/circuit.ts';
import { formatSigned, formatToken } from '../../src/shared/format.ts';
import { type Palette, toCss } from '../lib/color.ts';
import { escapeXml } from '../lib/escapeXml.ts';
import { bandName } from '../marks/circuitAxes.tsx';
import { edgeDash, edgeRadius, edgeWidth, restOpacity } from '../marks/circuitEdges.tsx';
import { anchorOf, type CircuitLayout, edgePath, type PlacedNode } from '../marks/circuitLayout.ts';
import { changeSigns, type MarkEdge } from '../marks/circuitMark.ts';
import {
  glyphColors,
  glyphPaths,
  largestEffect,
  minusPath,
  removedDash,
  shareOf,
} from '../marks/nodeGlyph.tsx';
import { columnName, nameBeside } from './drawnCircuit.ts';
import { metricName } from './metricName.ts';
import { clipText, nodeTitle } from './nodeName.ts';

const gutter = 56;
const footer = 28;
const head = 30;

/** What is drawn, where, and in which colors. */
export interface SvgPicture {
  readonly graph: CircuitGraph;
  readonly layout: CircuitLayout;
  readonly edges: readonly MarkEdge[];
  readonly palette: Palette;
  /** Stands before the metric. */
  readonly title?: string;
}

/** The drawing as a file. */
export function circuitSvg(picture: SvgPicture): string {
  const { graph, layout, edges, palette } = picture;
  const title = titleOf(picture);
  const width = Math.max(layout.width + gutter + 8, 7.6 * [...title].length + 24);
  const height = layout.height + head + footer;
  const places = new Map(layout.nodes.map((place) => [place.node.id, anchorOf(place)]));
  const largestWeight = graph.edges.reduce((most, { weight }) => Math.max(most, Math.abs(weight)), 1e-12);
  const largest = largestEffect(graph.nodes);
  const lines = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="system-ui, sans-serif" font-size="11" fill="${toCss(palette.foreground)}">`,
    `<title>${escapeXml(title)}</title>`,
    `<rect width="${width}" height="${height}" fill="${toCss(palette.background)}"/>`,
    `<text x="12" y="19" font-size="13" font-weight="600">${escapeXml(title)}</text>`,
    `<g transform="translate(${gutter} ${head})">`,
    ...bandLines(graph, layout),
    ...edges.toReversed().map((edge) => edgeLine(edge, edges.length, places, largestWeight, palette)),
    ...layout.nodes.map((place) =>
      nodeLines(place, shareOf(place.node.effect, largest), palette, layout.nameLength),
    ),
    ...columnLines(graph, layout),
    '</g>',
    '</svg>',
  ];
  return `${lines.filter((line) => line !== '').join('\n')}\n`;
}

function titleOf({ graph, title }: SvgPicture): string {
  const metric = `${metricName(graph.metric.name)} ${formatSigned(graph.metric.clean)}`;
  return clipText(title ? `${title} · ${metric}` : metric, 140);
}

function bandLines(graph: CircuitGraph, layout: CircuitLayout): readonly string[] {
  return layout.bands
    .filter((band) => !band.empty)
    .map((band) => {
      const y = band.top + band.height / 2 + 4;
      const name = escapeXml(bandName(band.layer, graph.nLayers, graph.isAggregated === true));
      return `<text x="-8" y="${y}" text-anchor="end" opacity="0.7">${name}</text>`;
    });
}

function columnLines(graph: CircuitGraph, layout: CircuitLayout): readonly string[] {
  const named = layout.nameLength > 0;
  return layout.columns.map((column) => {
    const name = columnName(graph, column.position);
    const text = graph.isAggregated ? name : clipText(formatToken(name), 14);
    // As on the screen: names begin where the marks of their column do.
    const x = named ? column.left + 2 : column.left + column.width / 2;
    const anchor = named ? 'start' : 'middle';
    const font = graph.isAggregated ? '' : ' font-family="monospace"';
    return `<text x="${x}" y="${layout.height + 16}" text-anchor="${anchor}"${font}>${escapeXml(text)}</text>`;
  });
}

function edgeLine(
  edge: MarkEdge,
  count: number,
  places: ReadonlyMap<string, PlacedNode>,
  largest: number,
  palette: Palette,
): string {
  const from = places.get(edge.source);
  const to = places.get(edge.target);
  if (!from || !to) return '';
  const share = Math.abs(edge.weight) / largest;
  const color = toCss(edge.weight < 0 ? palette.negative : palette.positive);
  const dash = edge.weight < 0 ? ` stroke-dasharray="${edgeDash(share)}"` : '';
  const opacity = restOpacity(edge, share, count).toFixed(2);
  return `<path d="${edgePath(from, to, edgeRadius)}" fill="none" stroke="${color}" stroke-width="${edgeWidth(share).toFixed(2)}" stroke-opacity="${opacity}"${dash}/>`;
}

function nodeLines(place: PlacedNode, share: number, palette: Palette, nameLength: number): string {
  const { node, x, y, box } = place;
  const colors = glyphColors(node.kind, share, palette);
  const title = `<title>${escapeXml(`${nodeTitle(node)}, ${formatSigned(node.effect)}`)}</title>`;
  const minus =
    share < 0 ? `<path d="${minusPath}" stroke="${colors.sign}" stroke-width="1.6" fill="none"/>` : '';
  const name = escapeXml(nameBeside(node, nameLength) ?? '');
  const change = node.change ? changeSigns[node.change] : '';
  const sign = change === '' ? '' : `<text x="6" y="-5" font-weight="700">${change}</text>`;
  const dash = node.change === 'removed' ? ` stroke-dasharray="${removedDash}"` : '';
  const start = `<g transform="translate(${x} ${y})">${title}`;
  if (box !== undefined) {
    const words = `${name} · ${node.members?.length ?? 0}`;
    return `${start}<rect x="-11" y="-10" width="${box.toFixed(1)}" height="20" rx="6" fill="${colors.fill}" stroke="${colors.stroke}" stroke-width="1.4"/><text x="${(box / 2 - 11).toFixed(1)}" y="3.5" text-anchor="middle" font-size="10.5" fill="${colors.sign}">${share < 0 ? '− ' : ''}${words}</text>${sign}</g>`;
  }
  const label = nameLength > 0 ? `<text x="13" y="3.5" font-size="10.5">${name}</text>` : '';
  return `${start}<path d="${glyphPaths[node.kind]}" fill="${colors.fill}" stroke="${colors.stroke}" stroke-width="1.4"${dash}/>${minus}${label}${sign}</g>`;
}
