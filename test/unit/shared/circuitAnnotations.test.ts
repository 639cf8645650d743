/** What a person adds to a circuit: each step alone, and any steps together. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CircuitAnnotations } from '../../../src/shared/circuit.ts';
import {
  type AnnotationChange,
  addToGroup,
  boundLabel,
  emptyAnnotations,
  groupNodes,
  groupOf,
  keepShare,
  longestLabel,
  pinNodes,
  removeFromGroups,
  renameGroup,
  renameNode,
  retitle,
  togglePins,
  ungroup,
  unpinNodes,
} from '../../../src/shared/circuitAnnotations.ts';

const nameOf = (id: string): string => `Head ${id}`;
const none = emptyAnnotations();

function must(change: AnnotationChange | undefined): CircuitAnnotations {
  if (!change) throw new Error('nothing changed');
  return change.annotations;
}

describe('pins', () => {
  it('are added in order and taken away', () => {
    const change = pinNodes(none, ['b', 'a', 'b'], nameOf);
    expect(change?.annotations.pinned).toEqual(['b', 'a']);
    expect(change?.what).toBe('Pin 2 Nodes');
    const after = unpinNodes(must(change), ['b'], nameOf);
    expect(after).toMatchObject({ annotations: { pinned: ['a'] }, what: 'Unpin Head b' });
  });

  it('change nothing when they are there already, or are not there', () => {
    expect(pinNodes({ ...none, pinned: ['a'] }, ['a'], nameOf)).toBeUndefined();
    expect(unpinNodes(none, ['a'], nameOf)).toBeUndefined();
  });

  it('are toggled together: first all of them on, then all of them off', () => {
    const some = { ...none, pinned: ['a'] };
    const all = must(togglePins(some, ['a', 'b'], nameOf));
    expect(all.pinned).toEqual(['a', 'b']);
    expect(must(togglePins(all, ['a', 'b'], nameOf)).pinned).toEqual([]);
  });
});

describe('names', () => {
  it('stand beside the own label until an empty one restores it', () => {
    const named = renameNode(none, '2.3', ' name mover ', nameOf);
    expect(named).toMatchObject({
      annotations: { labels: { '2.3': 'name mover' } },
      what: 'Rename Head 2.3 to name mover',
    });
    const restored = renameNode(must(named), '2.3', '  ', nameOf);
    expect(restored).toMatchObject({ annotations: { labels: {} }, what: 'Restore Name of Head 2.3' });
    expect(renameNode(none, '2.3', '', nameOf)).toBeUndefined();
  });

  it('may be given to a node that is called like an inherited property', () => {
    expect(renameNode(none, 'constructor', '', nameOf)).toBeUndefined();
    expect(must(renameNode(none, '__proto__', 'x', nameOf)).labels).not.toBe(Object.prototype);
  });

  it('are one line of bounded length, whatever is pasted', () => {
    expect(boundLabel('a\u0000b\nc\u2028d\ud800')).toBe('a b c d');
    expect([...boundLabel('🙂'.repeat(5000))]).toHaveLength(longestLabel);
    const anyText = fc
      .array(fc.integer({ min: 0, max: 0x10ffff }), { maxLength: 200 })
      .map((codes) => String.fromCodePoint(...codes));
    fc.assert(
      fc.property(anyText, (text) => {
        const label = boundLabel(text);
        expect([...label].length).toBeLessThanOrEqual(longestLabel);
        expect(label).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u);
        expect(boundLabel(label)).toBe(label);
      }),
      { seed: 3 },
    );
  });
});

describe('groups', () => {
  const one = groupNodes(none, ['a', 'b', 'c'], 'names')!;

  it('get an id that no group has had before them', () => {
    expect(one).toMatchObject({ id: 'group-1', what: 'Group 3 Nodes as names' });
    const two = groupNodes(one.annotations, ['d', 'e'], 'dup')!;
    expect(two.id).toBe('group-2');
    const without = must(ungroup(two.annotations, 'group-1'));
    expect(groupNodes(without, ['a', 'b'], 'again')?.id).toBe('group-3');
  });

  it('take nodes out of the groups that they were in, and vanish with their last node', () => {
    const two = groupNodes(one.annotations, ['a', 'd'], 'others')!;
    expect(groupOf(two.annotations, 'a')?.id).toBe('group-2');
    expect(groupOf(two.annotations, 'b')?.nodes).toEqual(['b', 'c']);
    const all = groupNodes(two.annotations, ['a', 'd', 'b', 'c'], 'all')!;
    expect(all.annotations.supernodes.map(({ id }) => id)).toEqual(['group-3']);
  });

  it('gain and lose nodes', () => {
    const more = addToGroup(one.annotations, 'group-1', ['d', 'a'], nameOf);
    expect(more).toMatchObject({ what: 'Add Head d to names' });
    expect(must(more).supernodes[0]?.nodes).toEqual(['a', 'b', 'c', 'd']);
    const fewer = removeFromGroups(must(more), ['b'], nameOf);
    expect(fewer).toMatchObject({ what: 'Take Head b out of names' });
    expect(must(fewer).supernodes[0]?.nodes).toEqual(['a', 'c', 'd']);
    expect(addToGroup(one.annotations, 'group-9', ['d'], nameOf)).toBeUndefined();
  });

  it('are renamed, and never without a name', () => {
    const renamed = renameGroup(one.annotations, 'group-1', 'movers');
    expect(renamed).toMatchObject({ what: 'Rename names to movers' });
    expect(must(renameGroup(must(renamed), 'group-1', '')).supernodes[0]?.label).toBe('group-1');
    expect(renameGroup(one.annotations, 'group-1', 'names')).toBeUndefined();
  });
});

describe('the slider and the title', () => {
  it('keep a share between 0 and 1 and say what is left', () => {
    expect(keepShare(none, 0.25, 12)).toMatchObject({
      annotations: { keep: 0.25 },
      what: 'Prune to 12 Nodes',
    });
    expect(must(keepShare(none, -4, 0)).keep).toBe(0);
    expect(keepShare(none, 9, 3)).toBeUndefined();
    expect(keepShare(none, Number.NaN, 3)).toBeUndefined();
  });

  it('title the circuit until an empty title restores its own', () => {
    const titled = must(retitle(none, 'IOI'));
    expect(titled.title).toBe('IOI');
    expect('title' in must(retitle(titled, ' '))).toBe(false);
    expect(retitle(none, '')).toBeUndefined();
  });
});

it('whatever is done, a node is in one group at most, groups are not empty, and ids are distinct', () => {
  const ids = fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'), { maxLength: 4 });
  const group = fc.integer({ min: 1, max: 4 }).map((number) => `group-${number}`);
  type Step = (annotations: CircuitAnnotations) => AnnotationChange | undefined;
  const step: fc.Arbitrary<Step> = fc.oneof(
    ids.map(
      (nodes): Step =>
        (before) =>
          groupNodes(before, nodes, 'x'),
    ),
    fc.tuple(group, ids).map(
      ([id, nodes]): Step =>
        (before) =>
          addToGroup(before, id, nodes, nameOf),
    ),
    ids.map(
      (nodes): Step =>
        (before) =>
          removeFromGroups(before, nodes, nameOf),
    ),
    group.map(
      (id): Step =>
        (before) =>
          ungroup(before, id),
    ),
    ids.map(
      (nodes): Step =>
        (before) =>
          togglePins(before, nodes, nameOf),
    ),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      let annotations = none;
      for (const next of steps) {
        const before = structuredClone(annotations);
        const change = next(annotations);
        expect(annotations).toEqual(before);
        if (!change) continue;
        expect(change.annotations).not.toEqual(annotations);
        expect(change.what).not.toBe('');
        annotations = change.annotations;
      }
      const members = annotations.supernodes.flatMap(({ nodes }) => nodes);
      expect(new Set(members).size).toBe(members.length);
      expect(annotations.supernodes.every(({ nodes }) => nodes.length > 0)).toBe(true);
      expect(new Set(annotations.supernodes.map(({ id }) => id)).size).toBe(annotations.supernodes.length);
      expect(new Set(annotations.pinned).size).toBe(annotations.pinned.length);
    }),
    { seed: 17, numRuns: 200 },
  );
});
