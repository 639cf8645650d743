/** Moving over the cells of a grid by keyboard. */
import { describe, expect, it } from 'vitest';
import { moveOnGrid } from '../../../../webview-ui/marks/gridKeys.ts';

describe('moveOnGrid', () => {
  const move = (key: string, row: number, column: number) => {
    const to = moveOnGrid(key, { row, column }, { rows: 3, columns: 5 });
    return to && [to.row, to.column];
  };

  it('steps to the neighbor on the screen and stops at the edges', () => {
    expect(move('ArrowRight', 1, 1)).toEqual([1, 2]);
    expect(move('ArrowDown', 1, 1)).toEqual([2, 1]);
    expect(move('ArrowUp', 0, 1)).toEqual([0, 1]);
    expect(move('ArrowLeft', 2, 0)).toEqual([2, 0]);
    expect(move('ArrowRight', 2, 4)).toEqual([2, 4]);
  });

  it('jumps to the ends of rows and columns, and leaves other keys alone', () => {
    expect(move('Home', 1, 3)).toEqual([1, 0]);
    expect(move('End', 1, 3)).toEqual([1, 4]);
    expect(move('PageUp', 2, 3)).toEqual([0, 3]);
    expect(move('PageDown', 0, 3)).toEqual([2, 3]);
    expect(move('Tab', 1, 1)).toBeUndefined();
    expect(move('toString', 1, 1)).toBeUndefined();
  });
});
