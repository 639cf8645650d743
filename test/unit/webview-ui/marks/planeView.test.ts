/** How the plane of a circuit is seen. */

import { describe, expect, it } from 'vitest';
import type { CircuitLayout } from '../../../../webview-ui/marks/circuitLayout.ts';
import { fitView, stretchLayout } from '../../../../webview-ui/marks/planeView.ts';

function layoutOf(width: number, height: number): CircuitLayout {
  const node = { id: 'a', kind: 'mlp' as const, layer: 0, position: 0, label: '', effect: 1 };
  return {
    width,
    height,
    nodes: [{ node, x: width / 2, y: height / 2 }],
    columns: [{ position: 0, left: 0, width, skipped: 0 }],
    bands: [{ layer: 0, top: 0, height, empty: false }],
    nameLength: 0,
  };
}

const sizes = [
  [400, 300],
  [520, 150],
  [270, 500],
  [1200, 90],
] as const;
const contents = [
  [200, 400],
  [900, 300],
  [500, 900],
  [2000, 200],
] as const;

describe('a graph that is fitted', () => {
  it('is all in view, whatever room there is', () => {
    for (const [width, height] of sizes) {
      for (const [w, h] of contents) {
        const viewport = { width, height };
        const layout = stretchLayout(layoutOf(w, h), viewport);
        const view = fitView(layout, viewport);
        const right = layout.width * view.scale + view.x;
        const bottom = layout.height * view.scale + view.y;
        // A fifth of its size is less than anybody could see.
        if (h / height > 5 || w / width > 5) continue;
        expect(view.x, `${w}x${h} in ${width}x${height}`).toBeGreaterThanOrEqual(-0.01);
        expect(view.y).toBeGreaterThanOrEqual(-0.01);
        expect(right).toBeLessThanOrEqual(width + 0.01);
        expect(bottom).toBeLessThanOrEqual(height + 0.01);
      }
    }
  });

  it('uses the width that a lack of height leaves', () => {
    const viewport = { width: 500, height: 150 };
    const layout = stretchLayout(layoutOf(300, 300), viewport);
    const { scale } = fitView(layout, viewport);
    expect(layout.width * scale).toBeGreaterThan(480);
    expect(layout.nodes[0]!.x).toBeCloseTo(layout.width / 2);
  });

  it('uses the height that few layers leave', () => {
    const viewport = { width: 600, height: 500 };
    const layout = stretchLayout(layoutOf(500, 130), viewport);
    expect(layout.height * fitView(layout, viewport).scale).toBeGreaterThan(480);
  });
});
