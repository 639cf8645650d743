/** The stack of interventions and its history. */

// The stack of interventions with undo and redo.
import { describe, expect, it } from 'vitest';
import { Interventions } from '../../../src/host/interventions.ts';
import type { Edit } from '../../../src/shared/domain.ts';

const head = (layer: number, index: number) => ({
  target: { kind: 'head', layer, head: index } as const,
  action: { kind: 'zero' } as const,
});

const names = (edits: readonly Edit[]): string[] =>
  edits.map((edit) => `${JSON.stringify(edit.target)} ${edit.strength} ${edit.enabled}`);

describe('Interventions', () => {
  it('takes every kind of change back in reverse order, and does them again', () => {
    const stack = new Interventions();
    const states: string[][] = [names(stack.edits)];
    const first = stack.add(head(0, 1));
    states.push(names(stack.edits));
    stack.add(head(2, 3));
    states.push(names(stack.edits));
    stack.change(first.id, { strength: 0.5 });
    states.push(names(stack.edits));
    stack.change(first.id, { enabled: false });
    states.push(names(stack.edits));
    stack.remove(first.id);
    states.push(names(stack.edits));
    stack.clear();
    states.push(names(stack.edits));

    for (const state of states.slice(0, -1).reverse()) {
      stack.undo();
      expect(names(stack.edits)).toEqual(state);
    }
    expect(stack.canUndo).toBe(false);
    for (const state of states.slice(1)) {
      stack.redo();
      expect(names(stack.edits)).toEqual(state);
    }
    expect(stack.canRedo).toBe(false);
  });

  it('forgets what could be redone once something else is done', () => {
    const stack = new Interventions();
    stack.add(head(0, 1));
    stack.undo();
    stack.add(head(0, 2));
    expect(stack.canRedo).toBe(false);
    stack.redo();
    expect(stack.edits.map((edit) => edit.target)).toEqual([head(0, 2).target]);
  });

  it('hands on only those that act', () => {
    const stack = new Interventions();
    const off = stack.add(head(0, 0));
    const weak = stack.add(head(0, 1));
    const acting = stack.add(head(0, 2));
    stack.change(off.id, { enabled: false });
    stack.change(weak.id, { strength: 0 });
    expect(stack.active.map((edit) => edit.id)).toEqual([acting.id]);
  });

  it('replaces an intervention at the same place, but not one at other positions', () => {
    const stack = new Interventions();
    stack.add({ ...head(1, 1), positions: [3] });
    stack.add({ ...head(1, 1), positions: [4] });
    stack.add({ target: head(1, 1).target, action: { kind: 'mean' }, positions: [3] });
    expect(stack.edits.map((edit) => [edit.action.kind, edit.positions])).toEqual([
      ['zero', [4]],
      ['mean', [3]],
    ]);
  });

  it('tells of changes, and not when nothing changed', () => {
    const stack = new Interventions();
    let told = 0;
    stack.onDidChange(() => told++);
    stack.undo();
    stack.redo();
    stack.clear();
    stack.remove('nothing');
    stack.change('nothing', { strength: 2 });
    expect(told).toBe(0);
    stack.add(head(0, 0));
    stack.undo();
    expect(told).toBe(2);
  });

  it('changes several as one step', () => {
    const stack = new Interventions();
    const one = stack.add(head(0, 0));
    const other = stack.add(head(0, 1));
    stack.changeAll(new Map([one, other].map((edit) => [edit.id, { enabled: false }])));
    expect(stack.active).toEqual([]);
    stack.undo();
    expect(stack.active).toHaveLength(2);
  });
});
