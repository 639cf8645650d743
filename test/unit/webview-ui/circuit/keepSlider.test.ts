/** The slider tells of every move at once, and says which moves are one step. */

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { KeepSlider } from '../../../../webview-ui/circuit/keepSlider.ts';

function open() {
  const told: { readonly keep: number; readonly stroke: number }[] = [];
  const slider = new KeepSlider((stroke) => told.push({ keep: slider.keep.peek(), stroke }));
  return { slider, told, strokes: () => new Set(told.map(({ stroke }) => stroke)).size };
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('the slider', () => {
  it('tells of each place before anything else can happen', () => {
    const { slider, told } = open();
    for (const keep of [0.9, 0.6, 0.1]) slider.move(keep);
    expect(told.map(({ keep }) => keep)).toEqual([0.9, 0.6, 0.1]);
  });

  it('is one stroke until it has rested, or something else is edited', async () => {
    const { slider, strokes } = open();
    for (const keep of [0.9, 0.8, 0.7]) {
      slider.move(keep);
      await vi.advanceTimersByTimeAsync(400);
    }
    expect([strokes(), slider.isMoving]).toEqual([1, true]);
    await vi.advanceTimersByTimeAsync(300);
    expect(slider.isMoving).toBe(false);
    slider.move(0.5);
    expect(strokes()).toBe(2);
    slider.end();
    await vi.advanceTimersByTimeAsync(10);
    slider.move(0.4);
    expect(strokes()).toBe(3);
  });
});
