/** Roving over lists, wrapped lines and planes. */

import { describe, expect, it } from 'vitest';
import { lineNeighbor, planeNeighbor, rovingIndex } from '../../../../webview-ui/lib/keys.ts';

describe('rovingIndex', () => {
  it('steps along its own axis, stops at the ends, and jumps with Home and End', () => {
    expect(rovingIndex('ArrowRight', 3, 5, 'horizontal')).toBe(4);
    expect(rovingIndex('ArrowRight', 4, 5, 'horizontal')).toBe(4);
    expect(rovingIndex('ArrowLeft', 0, 5, 'horizontal')).toBe(0);
    expect(rovingIndex('Home', 3, 5, 'horizontal')).toBe(0);
    expect(rovingIndex('End', 3, 5, 'vertical')).toBe(4);
    expect(rovingIndex('PageDown', 1, 5, 'vertical')).toBe(4);
  });

  it('leaves other keys to others', () => {
    expect(rovingIndex('ArrowDown', 3, 5, 'horizontal')).toBeUndefined();
    expect(rovingIndex('a', 3, 5, 'vertical')).toBeUndefined();
    expect(rovingIndex('Home', 0, 0, 'vertical')).toBeUndefined();
  });
});

describe('lineNeighbor', () => {
  // Two lines: widths 40, 40, 40 and then 60, 60.
  const boxes = [0, 40, 80].map((left) => ({ left, top: 0, width: 40 }));
  boxes.push({ left: 0, top: 20, width: 60 }, { left: 60, top: 20, width: 60 });

  it('finds the item whose middle is nearest on the next line', () => {
    expect(lineNeighbor(boxes, 0, 1)).toBe(3);
    expect(lineNeighbor(boxes, 2, 1)).toBe(4);
    expect(lineNeighbor(boxes, 4, -1)).toBe(2);
  });

  it('stays where it is on the first and last line', () => {
    expect(lineNeighbor(boxes, 1, -1)).toBe(1);
    expect(lineNeighbor(boxes, 4, 1)).toBe(4);
    expect(lineNeighbor([], 0, 1)).toBe(0);
  });
});

describe('planeNeighbor', () => {
  const points = [
    { x: 0, y: 0 },
    { x: 30, y: 25 },
    { x: 50, y: 0 },
    { x: 0, y: -40 },
  ];

  it('prefers what lies straight ahead over what is near but aside', () => {
    expect(planeNeighbor(points, 0, 'ArrowRight')).toBe(2);
    expect(planeNeighbor(points, 0, 'ArrowUp')).toBe(3);
    expect(planeNeighbor(points, 0, 'ArrowDown')).toBe(1);
  });

  it('is undefined where nothing lies ahead or the key is no arrow', () => {
    expect(planeNeighbor(points, 0, 'ArrowLeft')).toBeUndefined();
    expect(planeNeighbor(points, 0, 'Enter')).toBeUndefined();
  });
});
