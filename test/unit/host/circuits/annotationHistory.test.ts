/** Strokes of the slider in the history: one step each, which saving ends. */

import { describe, expect, it } from 'vitest';
import { AnnotationHistory, type CircuitStep } from '../../../../src/host/circuits/annotationHistory.ts';
import { emptyAnnotations } from '../../../../src/shared/circuitAnnotations.ts';

function history() {
  const steps: CircuitStep[] = [];
  const own = new AnnotationHistory(
    emptyAnnotations(),
    () => {},
    (step) => steps.push(step),
  );
  const slide = (keep: number, stroke?: number): void =>
    own.edit({ ...own.annotations, keep }, 'Prune', stroke);
  return { own, steps, slide, keep: () => own.annotations.keep };
}

describe('a stroke', () => {
  it('is one step, told at its first move, which goes back to where it began and forth to where it ended', () => {
    const { own, steps, slide, keep } = history();
    for (const place of [0.9, 0.5, 0.2]) slide(place, 7);
    expect(steps).toHaveLength(1);
    own.undo();
    expect([keep(), own.canUndo]).toEqual([1, false]);
    steps[0]?.redo();
    expect(keep()).toBe(0.2);
  });

  it('ends with another stroke, with an edit, and with undo', () => {
    const { own, steps, slide, keep } = history();
    slide(0.9, 1);
    slide(0.8, 2);
    own.edit({ ...own.annotations, pinned: ['a'] }, 'Pin');
    slide(0.7, 2);
    expect(steps).toHaveLength(4);
    own.undo();
    own.undo();
    slide(0.6, 2);
    expect([steps.length, keep()]).toEqual([5, 0.6]);
    own.undo();
    expect(keep()).toBe(0.8);
  });

  it('ends when it is saved in the middle, so that what follows is told of', () => {
    const { own, steps, slide, keep } = history();
    slide(0.9, 1);
    own.endStroke();
    slide(0.8, 1);
    slide(0.7, 1);
    expect(steps).toHaveLength(2);
    own.undo();
    expect(keep()).toBe(0.9);
  });
});
