/** The shelf: finding, cancelling, several circuits open at once, and the one that comes back after a reload. */
import { describe, expect, it } from 'vitest';
import { OpenCircuits } from '../../../../src/host/circuits/openCircuits.ts';
import { silentLog } from '../../../../src/host/log.ts';
import type { CircuitDocument, SaeInfo } from '../../../../src/shared/domain.ts';
import { EngineError } from '../../../../src/shared/errors.ts';
import { createFakeEngine } from '../../../fixtures/fakeEngine.ts';
import { tinyCircuit } from '../../../fixtures/tinyCircuit.ts';

const question = { name: 'Mary − John', promptUri: 'file:///a' };

async function shelf(kept = new Map<string, unknown>()) {
  const engine = createFakeEngine();
  const model = await engine.openModel({ path: '/models/mini' });
  const saes = [{ id: '/home/me/saes/one', hook: 'blocks.1.hook_resid_post', hash: 'def456' } as SaeInfo];
  const memory = {
    get: <T>(key: string) => kept.get(key) as T | undefined,
    update: async (key: string, value: unknown) => void kept.set(key, value),
  };
  const models = { model, saes, ensure: async () => model };
  const circuits = new OpenCircuits({ engine, models, memory, log: silentLog });
  const ask = (text: string) => (call: Parameters<Parameters<OpenCircuits['find']>[1]>[0]) =>
    engine.findCircuit(
      { model: model.id, text, contrast: { answer: ' Mary', wrong: ' John' }, saes: [], maxNodes: 9 },
      call,
    );
  return { circuits, kept, ask };
}

/** As a search answers: features of SAEs by their folders. */
const found: CircuitDocument = {
  ...tinyCircuit,
  annotations: undefined,
  evaluation: undefined,
  pairs: { kind: 'task', task: { kind: 'file', path: '/home/me/ioi.task.jsonl' } },
  nodes: tinyCircuit.nodes.map((node) =>
    node.feature ? { ...node, feature: { ...node.feature, sae: '/home/me/saes/one' } } : node,
  ),
};

describe('finding', () => {
  it('reports on the way and shows the circuit, without folders of the machine', async () => {
    const { circuits, ask } = await shelf();
    const seen: number[] = [];
    await circuits.find(question, ask('When Mary and John'), ({ done }) => seen.push(done));
    expect(seen).toEqual([0, 1, 2, 3]);
    expect(circuits.progress).toBeUndefined();
    expect(circuits.shown).toMatchObject({ title: 'Mary − John', promptUri: 'file:///a' });
    await circuits.find(question, async () => found);
    expect(JSON.stringify(circuits.shown?.graph.nodes)).not.toContain('/home/me');
  });

  it('stays with the circuit there was when it is cancelled', async () => {
    const { circuits, ask } = await shelf();
    await circuits.find(question, ask('When Mary and John'));
    const before = circuits.shown;
    await circuits.find(question, ask('other words'), () => circuits.cancel());
    expect(circuits.shown).toBe(before);
    expect(circuits.isFinding).toBe(false);
  });

  it('keeps a failure for the panel', async () => {
    const { circuits } = await shelf();
    const fail = async () => {
      throw new EngineError('engine.stopped', { reason: 'SIGKILL' });
    };
    await expect(circuits.find(question, fail)).rejects.toMatchObject({ code: 'engine.stopped' });
    expect(circuits.error).toMatchObject({ code: 'engine.stopped' });
    await circuits.find(question, async () => found);
    expect(circuits.error).toBeUndefined();
  });
});

describe('the shelf', () => {
  it('has the newest six, each with a name of its own, and the files that are open', async () => {
    const { circuits } = await shelf();
    for (let i = 0; i < 8; i++) circuits.show(found, question);
    const file = circuits.openFile('file:///x.circuit.json', tinyCircuit, 'x');
    expect(circuits.all).toHaveLength(7);
    expect(new Set(circuits.all.map(({ title }) => title)).size).toBe(7);
    expect(circuits.shown).toBe(circuits.all[0]);
    expect(circuits.ofFile('file:///x.circuit.json')).toBe(file);
    expect(circuits.get(file.id)).toBe(file);
    circuits.closeFile('file:///x.circuit.json');
    expect(circuits.all).not.toContain(file);
  });

  it('puts one to compare with behind the shown one', async () => {
    const { circuits } = await shelf();
    const shown = circuits.show(found, question);
    const other = circuits.addBeside(tinyCircuit, 'other.circuit.json');
    expect(circuits.all).toEqual([shown, other]);
    circuits.bringForward(other);
    expect(circuits.shown).toBe(other);
  });

  it('knows whose node is under the pointer', async () => {
    const { circuits } = await shelf();
    const one = circuits.show(found, question);
    const other = circuits.addBeside(tinyCircuit, 'other');
    let told = 0;
    circuits.onDidHover(() => told++);
    other.hover('token 1');
    expect([circuits.pointed, told]).toEqual([other, 1]);
    one.hover('logit');
    expect(circuits.pointed).toBe(one);
  });
});

describe('a later session', () => {
  it('has the circuit with its notes and the place of its task again', async () => {
    const { circuits, kept } = await shelf();
    const circuit = circuits.show(found, question);
    circuit.annotate({ keep: 0.5, pinned: ['error'], labels: {}, supernodes: [] }, 'Pin');
    circuits.dispose();
    const later = (await shelf(kept)).circuits;
    later.restore();
    expect(later.shown?.annotations).toMatchObject({ keep: 0.5, pinned: ['error'] });
    expect(later.shown?.graph.pairs).toEqual(found.pairs);
    expect(later.shown?.promptUri).toBe('file:///a');
    later.restore();
    expect(later.all).toHaveLength(1);
  });

  it('does without one that cannot be read', async () => {
    const { circuits } = await shelf(new Map([['circuit.found', { name: 'x', text: '{"version":9}' }]]));
    circuits.restore();
    expect(circuits.shown).toBeUndefined();
  });
});
