/** Moving over the grid of heads by keyboard: layers go upward, and the edges hold. */
import { expect, test } from 'vitest';
import { moveOnHeads } from '../../../../webview-ui/marks/headGrid.tsx';

test.each([
  ['ArrowRight', 5, 6],
  ['ArrowRight', 7, 7],
  ['ArrowLeft', 4, 4],
  ['ArrowUp', 5, 9],
  ['ArrowUp', 9, 9],
  ['ArrowDown', 5, 1],
  ['ArrowDown', 1, 1],
  ['Home', 6, 4],
  ['End', 5, 7],
  ['PageUp', 1, 9],
  ['PageDown', 9, 1],
])('%s leads from head %i to head %i of 3 layers with 4 heads', (key, from, to) => {
  expect(moveOnHeads(key, from, 3, 4)).toBe(to);
});

test('other keys do not move', () => {
  expect(moveOnHeads('Enter', 5, 3, 4)).toBeUndefined();
});
