/** The exported drawing: whole, self-contained, and safe with hostile labels. */

import { describe, expect, it } from 'vitest';
import { circuitSvg, escapeXml } from '../../../../webview-ui/circuit/circuitSvg.ts';
import { drawnEdges, layoutKept } from '../../../../webview-ui/circuit/drawnCircuit.ts';
import { keepNodes } from '../../../../webview-ui/circuit/keepNodes.ts';
import { layersOf } from '../../../../webview-ui/circuit/listTab.tsx';
import { neighborRows } from '../../../../webview-ui/circuit/nodeCard.tsx';
import type { Palette } from '../../../../webview-ui/lib/color.ts';
import { smallCircuit } from './smallCircuit.ts';

const palette: Palette = {
  background: [255, 255, 255],
  foreground: [0, 0, 0],
  heat: [200, 100, 0],
  positive: [0, 0, 255],
  negative: [255, 0, 0],
};

function draw(fraction: number): string {
  const kept = keepNodes(smallCircuit, fraction, []);
  return circuitSvg(smallCircuit, layoutKept(smallCircuit, kept), drawnEdges(smallCircuit, kept), palette);
}

describe('circuitSvg', () => {
  it('draws one group for each kept node and one dashed path for each negative edge', () => {
    const svg = draw(1);
    expect(svg.match(/<g transform="translate\([\d.]+ [\d.]+\)"><title>/g)).toHaveLength(
      smallCircuit.nodes.length,
    );
    expect(svg.match(/stroke-dasharray/g)).toHaveLength(2);
    expect(draw(0).match(/<title>/g)).toHaveLength(2);
  });

  it('escapes labels and leaves out characters that XML forbids', () => {
    const svg = draw(1);
    expect(svg).not.toContain('<script>');
    expect(svg).toContain('&lt;script&gt;');
    const forbidden = [...svg].filter((c) => {
      const code = c.codePointAt(0) ?? 0;
      return (code < 0x20 && c !== '\n') || (code >= 0xd800 && code <= 0xdfff);
    });
    expect(forbidden).toEqual([]);
  });

  it('refers to nothing outside and carries no variables of the theme', () => {
    expect(draw(1).replace('http://www.w3.org/2000/svg', '')).not.toMatch(/https?:|var\(|url\(|href/);
  });

  it('escapes every special character once', () => {
    expect(escapeXml('<&">\u0001')).toBe('&lt;&amp;&quot;&gt;');
  });
});

describe('the list and the card', () => {
  it('group the kept nodes by layer, top first, strongest first', () => {
    const layers = layersOf(smallCircuit, keepNodes(smallCircuit, 1, []));
    expect(layers.map(({ layer, nodes }) => [layer, nodes.map((node) => node.id)])).toEqual([
      [2, ['y']],
      [1, ['h1', 'm1', 'h2', 'f1']],
      [0, ['h0']],
      [-1, ['t0', 't3']],
    ]);
  });

  it('list inputs and outputs by weight', () => {
    expect(neighborRows(smallCircuit, 'm1', 'source')).toEqual([{ id: 'h1', weight: 1.2 }]);
    expect(neighborRows(smallCircuit, 'm1', 'target').map(({ id }) => id)).toEqual(['y', 'f1']);
  });
});
