/** The window over a wide grid, and what its rows are called. */

import { describe, expect, it } from 'vitest';
import { columnWindow, scrollToColumn } from '../../../../webview-ui/marks/columnWindow.ts';
import { layerName } from '../../../../webview-ui/marks/lensGrid.tsx';

describe('columnWindow', () => {
  it('holds every column that shows, and a few more', () => {
    const view = { left: 950, width: 400, columnWidth: 100, count: 1500, extra: 2 };
    expect(columnWindow(view)).toEqual({ first: 7, end: 16 });
  });

  it('stays inside the grid', () => {
    expect(columnWindow({ left: 0, width: 400, columnWidth: 100, count: 3, extra: 2 })).toEqual({
      first: 0,
      end: 3,
    });
    expect(columnWindow({ left: 5000, width: 400, columnWidth: 100, count: 3, extra: 2 })).toEqual({
      first: 3,
      end: 3,
    });
  });
});

describe('scrollToColumn', () => {
  const view = { left: 200, width: 400, columnWidth: 100 };

  it('does not move for a column in view', () => {
    for (const column of [2, 3, 5]) expect(scrollToColumn({ ...view, column })).toBe(200);
  });

  it('centers a column out of view, but not before the start', () => {
    expect(scrollToColumn({ ...view, column: 20 })).toBe(1850);
    expect(scrollToColumn({ ...view, column: 0 })).toBe(0);
  });
});

describe('layerName', () => {
  it('reads as people say it, and passes other names on', () => {
    expect(['embed', '3', 'final'].map(layerName)).toEqual(['embed', 'layer 3', 'final']);
  });
});
