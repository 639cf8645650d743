/** The exported drawing: whole, self-contained, and safe with hostile labels. */

import { describe, expect, it } from 'vitest';
import type { CircuitAnnotations } from '../../../../src/shared/circuit.ts';
import { emptyAnnotations } from '../../../../src/shared/circuitAnnotations.ts';
import { keepNodes } from '../../../../src/shared/keepNodes.ts';
import { drawMarks } from '../../../../webview-ui/circuit/circuitMarks.ts';
import { circuitSvg } from '../../../../webview-ui/circuit/circuitSvg.ts';
import { layoutDrawing } from '../../../../webview-ui/circuit/drawnCircuit.ts';
import { neighborRows } from '../../../../webview-ui/circuit/neighbors.tsx';
import type { Palette } from '../../../../webview-ui/lib/color.ts';
import { escapeXml } from '../../../../webview-ui/lib/escapeXml.ts';
import { smallCircuit } from './smallCircuit.ts';

const palette: Palette = {
  background: [255, 255, 255],
  foreground: [0, 0, 0],
  heat: [200, 100, 0],
  positive: [0, 0, 255],
  negative: [255, 0, 0],
};

function draw(fraction: number, annotations: CircuitAnnotations = emptyAnnotations()): string {
  const kept = keepNodes(smallCircuit, fraction, []);
  const drawing = drawMarks(smallCircuit, annotations, kept, new Set());
  const layout = layoutDrawing(smallCircuit, drawing);
  return circuitSvg({ graph: smallCircuit, layout, edges: drawing.edges, palette, title: 'A <title>' });
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

  it('begins with the title and the metric', () => {
    expect(draw(1)).toContain('<title>A &lt;title&gt; · logit difference +2.5</title>');
  });

  it('draws a closed group as one box with the number of its nodes', () => {
    const supernodes = [{ id: 'group-1', label: '<b>', nodes: ['h1', 'm1', 'f1'] }];
    const svg = draw(1, { ...emptyAnnotations(), supernodes });
    expect(svg.match(/rx="6"/g)).toHaveLength(1);
    expect(svg).toContain('&lt;b&gt; · 3</text>');
    expect(svg.match(/<g transform="translate\([\d.]+ [\d.]+\)"><title>/g)).toHaveLength(
      smallCircuit.nodes.length - 2,
    );
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

describe('the card', () => {
  it('lists inputs and outputs by weight', () => {
    expect(neighborRows(smallCircuit.edges, 'm1', 'source')).toEqual([{ id: 'h1', weight: 1.2 }]);
    expect(neighborRows(smallCircuit.edges, 'm1', 'target').map(({ id }) => id)).toEqual(['y', 'f1']);
  });
});
