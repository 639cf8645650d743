/** Finding, keeping, pruning and cancelling circuits, on a made-up engine. */

// The circuit that is shown: found, pruned, evaluated, kept.
import { describe, expect, it } from 'vitest';
import { ablationOf, CircuitSession } from '../../../src/host/circuitSession.ts';
import { silentLog } from '../../../src/host/log.ts';
import type { CircuitNode } from '../../../src/shared/domain.ts';
import type { EngineApi } from '../../../src/shared/engineApi.ts';
import { EngineError } from '../../../src/shared/errors.ts';
import { createFakeEngine } from '../../fixtures/fakeEngine.ts';

const question = {
  model: '/models/mini',
  uri: 'file:///a',
  text: 'When Mary and John',
  contrast: { answer: ' Mary', wrong: ' John' },
  saes: [],
};

async function createSession(change: Partial<EngineApi> = {}, kept = new Map<string, unknown>()) {
  const engine = { ...createFakeEngine(), ...change };
  await engine.openModel({ path: '/models/mini' });
  const memory = {
    get: <T>(key: string) => kept.get(key) as T | undefined,
    update: async (key: string, value: unknown) => void kept.set(key, value),
  };
  return { session: new CircuitSession({ engine, memory, log: silentLog }), kept };
}

describe('CircuitSession', () => {
  it('finds a circuit, reports on the way, and brings it back in a later session', async () => {
    const { session, kept } = await createSession();
    const seen: number[] = [];
    await session.find(question, ({ done }) => seen.push(done));
    expect(seen).toEqual([0, 1, 2, 3]);
    expect(session.progress).toBeUndefined();
    const later = await createSession({}, kept);
    later.session.restore();
    expect(later.session.found?.graph.nodes).toEqual(session.found?.graph.nodes);
  });

  it('stays with the circuit there was when it is cancelled', async () => {
    const { session } = await createSession();
    await session.find(question, () => {});
    const before = session.found;
    const finding = session.find({ ...question, text: 'other words' }, () => session.cancel());
    await finding;
    expect(session.found).toBe(before);
    expect(session.isFinding).toBe(false);
  });

  it('keeps a failure for the panel', async () => {
    const { session } = await createSession({
      findCircuit: async () => {
        throw new EngineError('engine.stopped', { reason: 'SIGKILL' });
      },
    });
    await expect(session.find(question, () => {})).rejects.toMatchObject({ code: 'engine.stopped' });
    expect(session.error).toMatchObject({ code: 'engine.stopped' });
  });

  it('lights up the tokens of a node and of its neighbours', async () => {
    const { session } = await createSession();
    await session.find(question, () => {});
    const graph = session.found?.graph;
    const edge = graph?.edges[0];
    session.hover(edge?.source);
    const positionOf = (id: string | undefined) => graph?.nodes.find((node) => node.id === id)?.position;
    expect(session.hoveredPositions).toContain(positionOf(edge?.source));
    expect(session.hoveredPositions).toContain(positionOf(edge?.target));
    session.hover(undefined);
    expect(session.hoveredPositions).toEqual([]);
  });

  it('shows the evaluation of the latest choice only', async () => {
    const answers: (() => void)[] = [];
    const { session } = await createSession({
      evaluateCircuit: ({ kept }) =>
        new Promise((resolve) => {
          const faithfulness = kept.length;
          answers.push(() =>
            resolve({ faithfulness, completeness: 0, full: 0, empty: 0, circuit: 0, complement: 0 }),
          );
        }),
    });
    await session.find(question, () => {});
    const first = session.prune(0.5, ['a']);
    const second = session.prune(0.2, ['a', 'b']);
    answers[1]?.();
    answers[0]?.();
    await Promise.all([first, second]);
    expect(session.evaluation?.faithfulness).toBe(2);
    expect(session.keep).toBe(0.2);
  });
});

describe('ablationOf', () => {
  const node = (part: Partial<CircuitNode>) =>
    ({ id: 'x', layer: 2, position: 5, label: '', effect: 1, kind: 'head', ...part }) as CircuitNode;

  it('zeroes heads, MLPs and features at their position, and nothing else', () => {
    expect(ablationOf(node({ head: 3 }))).toEqual({
      target: { kind: 'head', layer: 2, head: 3 },
      action: { kind: 'zero' },
      positions: [5],
    });
    expect(ablationOf(node({ kind: 'mlp' }))?.target).toEqual({ kind: 'mlp', layer: 2 });
    const feature = { sae: 's', index: 4 };
    expect(ablationOf(node({ kind: 'feature', feature }))?.target).toEqual({ kind: 'feature', feature });
    expect(ablationOf(node({ kind: 'token' }))).toBeUndefined();
    expect(ablationOf(node({ kind: 'logit' }))).toBeUndefined();
    expect(ablationOf(node({ kind: 'error' }))).toBeUndefined();
  });
});
