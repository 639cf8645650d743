/** The graph as one SVG file that needs nothing else: colors are written in, text is escaped. Pure. */

import type { CircuitEdge, CircuitGraph } from '../../src/shared/domain.ts';
import { formatSigned, formatToken } from '../../src/shared/format.ts';
import { type Palette, toCss } from '../lib/color.ts';
import { edgeDash, edgeRadius, edgeWidth } from '../marks/circuitEdges.tsx';
import { shareOf } from '../marks/circuitGraph.tsx';
import { type CircuitLayout, edgePath, type PlacedNode } from '../marks/circuitLayout.ts';
import { glyphColors, glyphPaths, minusPath } from '../marks/nodeGlyph.tsx';
import { nameBeside, showsNames } from './drawnCircuit.ts';
import { nodeTitle } from './nodeName.ts';

const gutter = 56;
const footer = 28;
const head = 30;

/** The drawing of `layout` in the colors of `palette`. */
export function circuitSvg(
  graph: CircuitGraph,
  layout: CircuitLayout,
  edges: readonly CircuitEdge[],
  palette: Palette,
): string {
  const width = layout.width + gutter + 8;
  const height = layout.height + head + footer;
  const places = new Map(layout.nodes.map((place) => [place.node.id, place]));
  const largest = Math.max(1e-12, ...graph.edges.map(({ weight }) => Math.abs(weight)));
  const named = showsNames(places);
  const title = `${graph.metric.name} ${formatSigned(graph.metric.clean)}`;
  const lines = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="system-ui, sans-serif" font-size="11" fill="${toCss(palette.foreground)}">`,
    `<title>${escapeXml(title)}</title>`,
    `<rect width="${width}" height="${height}" fill="${toCss(palette.background)}"/>`,
    `<text x="12" y="19" font-size="13" font-weight="600">${escapeXml(title)}</text>`,
    `<g transform="translate(${gutter} ${head})">`,
    ...bandLines(graph, layout),
    ...edges.toReversed().map((edge) => edgeLine(edge, places, largest, palette)),
    ...layout.nodes.map((place) => nodeLines(place, graph, palette, named)),
    ...columnLines(graph, layout, named),
    '</g>',
    '</svg>',
  ];
  return `${lines.filter((line) => line !== '').join('\n')}\n`;
}

function bandLines(graph: CircuitGraph, layout: CircuitLayout): readonly string[] {
  return layout.bands
    .filter((band) => !band.empty)
    .map((band) => {
      const y = band.top + band.height / 2 + 4;
      return `<text x="-8" y="${y}" text-anchor="end" opacity="0.7">${bandName(band.layer, graph.nLayers)}</text>`;
    });
}

function bandName(layer: number, nLayers: number): string {
  if (layer < 0) return 'tokens';
  return layer >= nLayers ? 'logits' : `L${layer}`;
}

function columnLines(graph: CircuitGraph, layout: CircuitLayout, named: boolean): readonly string[] {
  return layout.columns.map((column) => {
    const token = formatToken(graph.tokens[column.position]?.text ?? '');
    const text = [...token].length > 14 ? `${[...token].slice(0, 13).join('')}…` : token;
    // As on the screen: names begin where the marks of their column do.
    const x = named ? column.left + 2 : column.left + column.width / 2;
    const anchor = named ? 'start' : 'middle';
    return `<text x="${x}" y="${layout.height + 16}" text-anchor="${anchor}" font-family="monospace">${escapeXml(text)}</text>`;
  });
}

function edgeLine(
  edge: CircuitEdge,
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
  const opacity = (0.25 + 0.55 * share).toFixed(2);
  return `<path d="${edgePath(from, to, edgeRadius)}" fill="none" stroke="${color}" stroke-width="${edgeWidth(share).toFixed(2)}" stroke-opacity="${opacity}"${dash}/>`;
}

function nodeLines(place: PlacedNode, graph: CircuitGraph, palette: Palette, named: boolean): string {
  const { node, x, y } = place;
  const share = shareOf(node, graph);
  const colors = glyphColors(node.kind, share, palette);
  const title = `${nodeTitle(node)}, ${formatSigned(node.effect)}`;
  const minus =
    share < 0 ? `<path d="${minusPath}" stroke="${colors.sign}" stroke-width="1.6" fill="none"/>` : '';
  const name = `<text x="13" y="3.5" font-size="10.5">${escapeXml(nameBeside(node) ?? '')}</text>`;
  return [
    `<g transform="translate(${x} ${y})"><title>${escapeXml(title)}</title>`,
    `<path d="${glyphPaths[node.kind]}" fill="${colors.fill}" stroke="${colors.stroke}" stroke-width="1.4"/>`,
    `${minus}${named ? name : ''}</g>`,
  ].join('');
}

/** Text for XML: markup escaped, characters that XML forbids left out. */
export function escapeXml(text: string): string {
  return formatForXml(text)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

function formatForXml(text: string): string {
  let out = '';
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    const surrogate = code >= 0xd800 && code <= 0xdfff;
    if (code >= 0x20 && !surrogate && code !== 0xfffe && code !== 0xffff) out += character;
  }
  return out;
}
