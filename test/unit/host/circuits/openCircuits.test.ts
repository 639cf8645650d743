/** The shelf: finding, cancelling, several circuits open at once, and the one that comes back after a reload. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type CircuitStorage, circuitFolder } from '../../../../src/host/circuits/circuitFolder.ts';
import { OpenCircuits } from '../../../../src/host/circuits/openCircuits.ts';
import { concerns, type ShelfChange } from '../../../../src/host/circuits/shelfChange.ts';
import { silentLog } from '../../../../src/host/log.ts';
import type { CircuitDocument } from '../../../../src/shared/circuit.ts';
import type { SaeInfo } from '../../../../src/shared/domain.ts';
import { EngineError } from '../../../../src/shared/errors.ts';
import { createFakeEngine } from '../../../fixtures/fakeEngine.ts';
import { tinyCircuit } from '../../../fixtures/tinyCircuit.ts';

const question = { name: 'Mary − John', promptUri: 'file:///a' };

const folders: string[] = [];
function newFolder(): string {
  folders.push(mkdtempSync(join(tmpdir(), 'circuits-')));
  return folders.at(-1)!;
}
afterEach(() => {
  vi.useRealTimers();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

async function shelf(folder = newFolder()) {
  const engine = createFakeEngine();
  const model = await engine.openModel({ path: '/models/mini' });
  const saes = [{ id: '/home/me/saes/one', hook: 'blocks.1.hook_resid_post', hash: 'def456' } as SaeInfo];
  const kept = circuitFolder(folder, silentLog);
  let writes = 0;
  const storage: CircuitStorage = {
    ...kept,
    save: (circuit) => {
      writes++;
      kept.save(circuit);
    },
  };
  const models = { model, saes, ensure: async () => model };
  const circuits = new OpenCircuits({ engine, models, storage, log: silentLog });
  const ask = (text: string) => (call: Parameters<Parameters<OpenCircuits['find']>[1]>[0]) =>
    engine.findCircuit(
      { model: model.id, text, contrast: { answer: ' Mary', wrong: ' John' }, saes: [], maxNodes: 9 },
      call,
    );
  return { circuits, folder, ask, writes: () => writes };
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

  it('never closes a circuit with a person’s work, nor loses its file, however many are found', async () => {
    const { circuits, folder } = await shelf();
    const mine = circuits.show(found, question);
    mine.annotate({ ...mine.annotations, labels: { error: 'mine' } }, 'Rename');
    const pruned = circuits.show(found, question);
    pruned.annotate({ ...pruned.annotations, keep: 0.2 }, 'Prune');
    for (let i = 0; i < 8; i++) circuits.show(found, question);
    expect(circuits.all).toHaveLength(6);
    expect(circuits.all).toContain(mine);
    expect(circuits.all).not.toContain(pruned);
    for (const circuit of circuits.all) {
      circuit.annotate({ ...circuit.annotations, pinned: ['logit'] }, 'Pin');
    }
    circuits.show(found, question);
    const beside = circuits.addBeside(tinyCircuit, 'beside');
    expect(circuits.all).toHaveLength(8);
    expect(circuits.all).toContain(beside);
    circuits.dispose();
    expect(readdirSync(folder)).toHaveLength(7);
  });

  it('lets go of a found circuit for good, and keeps of the others when they were found', async () => {
    const { circuits, folder } = await shelf();
    const old = circuits.show(found, question);
    const young = circuits.show(found, question);
    circuits.bringForward(old);
    circuits.remove(young);
    expect(circuits.results).toEqual([old]);
    expect(circuits.shown).toBe(old);
    circuits.dispose();
    expect(readdirSync(folder)).toHaveLength(1);
    const again = (await shelf(folder)).circuits;
    again.restore();
    expect(again.results.map(({ created, title }) => [created, title])).toEqual([[old.created, old.title]]);
    again.dispose();
  });

  it('tells what is searched for only while it is', async () => {
    const { circuits, ask } = await shelf();
    const names: (string | undefined)[] = [];
    await circuits.find(question, ask('When Mary and John'), () => names.push(circuits.pending?.name));
    expect(new Set(names)).toEqual(new Set([question.name]));
    expect(circuits.pending).toBeUndefined();
  });

  it('offers for comparison what is not the circuit itself, and one that was saved only as its file', async () => {
    const { circuits } = await shelf();
    const one = circuits.show(found, question);
    const two = circuits.show(found, question);
    const uri = 'file:///x.circuit.json';
    const file = circuits.openFile(uri, tinyCircuit, 'x');
    one.saved = { uri, annotations: one.annotations };
    expect(circuits.othersThan(two)).toEqual([file]);
    one.annotate({ ...one.annotations, pinned: ['logit'] }, 'Pin');
    expect(circuits.othersThan(two)).toEqual([one, file]);
    one.undo();
    circuits.closeFile(uri);
    expect(circuits.othersThan(two)).toEqual([one]);
  });

  it('tells each surface only of what it shows', async () => {
    const { circuits } = await shelf();
    const one = circuits.show(found, question);
    const file = circuits.openFile('file:///x.circuit.json', tinyCircuit, 'x');
    const told: ShelfChange[] = [];
    circuits.onDidChange((change) => told.push(change));
    const heard = (isFile: boolean, shown: typeof one): boolean => {
      const changes = told.splice(0);
      expect(changes).not.toEqual([]);
      return changes.some((change) => concerns(change, { isFile, shown: [shown, undefined] }));
    };
    one.select('logit');
    expect(heard(true, file)).toBe(false);
    one.select('error');
    expect(heard(false, one)).toBe(true);
    file.annotate({ ...file.annotations, pinned: [] }, 'Unpin');
    expect(heard(false, one)).toBe(false);
    file.annotate({ ...file.annotations, title: 'In the menu of the other' }, 'Title');
    expect(heard(false, one)).toBe(true);
    circuits.cancel();
    expect(heard(true, file)).toBe(false);
    circuits.dismissError();
    expect(heard(false, one)).toBe(true);
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
    const { circuits, folder } = await shelf();
    const circuit = circuits.show(found, question);
    circuit.annotate({ keep: 0.5, pinned: ['error'], labels: {}, supernodes: [] }, 'Pin');
    circuits.dispose();
    const later = (await shelf(folder)).circuits;
    later.restore();
    expect(later.shown?.annotations).toMatchObject({ keep: 0.5, pinned: ['error'] });
    expect(later.shown?.graph.pairs).toEqual(found.pairs);
    expect(later.shown?.promptUri).toBe('file:///a');
    later.restore();
    expect(later.all).toHaveLength(1);
  });

  it('has all of them, behind what it has found itself, and knows whose work is in them', async () => {
    const { circuits, folder } = await shelf();
    const first = circuits.show(found, { name: 'first' });
    first.annotate({ ...first.annotations, labels: { error: 'mine' } }, 'Rename');
    circuits.show(found, { name: 'second' });
    circuits.show(found, { name: 'third' });
    circuits.bringForward(first);
    circuits.dispose();
    const later = (await shelf(folder)).circuits;
    later.show(found, { name: 'fourth' });
    expect(later.all.map(({ title }) => title)).toEqual(['fourth', 'first', 'third', 'second']);
    expect(later.all.map(({ isAnnotated }) => isAnnotated)).toEqual([false, true, false, false]);
    for (let i = 0; i < 7; i++) later.show(found, question);
    expect(later.all.find(({ title }) => title === 'first')?.annotations.labels).toEqual({ error: 'mine' });
  });

  it('gets what rests: not each step of the slider, and no selection', async () => {
    vi.useFakeTimers();
    const { circuits, writes, folder } = await shelf();
    const circuit = circuits.show(found, question);
    await vi.advanceTimersByTimeAsync(5000);
    expect(writes()).toBe(1);
    circuit.select('error');
    circuits.cancel();
    await vi.advanceTimersByTimeAsync(5000);
    expect(writes()).toBe(1);
    for (const keep of [0.8, 0.6, 0.4, 0.2]) {
      circuit.annotate({ ...circuit.annotations, keep }, 'Prune');
      await vi.advanceTimersByTimeAsync(100);
    }
    await vi.advanceTimersByTimeAsync(5000);
    expect(writes()).toBe(2);
    const [kept] = circuitFolder(folder, silentLog).load();
    expect(JSON.parse(kept!.text).annotations.keep).toBe(0.2);
  });

  it('gets the slider’s last place when the window goes in the middle of a stroke', async () => {
    vi.useFakeTimers();
    const { circuits, folder } = await shelf();
    const circuit = circuits.show(found, question);
    await vi.advanceTimersByTimeAsync(5000);
    for (const keep of [0.8, 0.6, 0.4]) circuit.annotate({ ...circuit.annotations, keep }, 'Prune', 1);
    circuits.dispose();
    const [kept] = circuitFolder(folder, silentLog).load();
    expect(JSON.parse(kept!.text).annotations.keep).toBe(0.4);
  });

  it('does without those that cannot be read', async () => {
    const folder = newFolder();
    const kept = { id: 'b', name: 'x', text: '{"version":9}', shown: 1, annotated: true };
    writeFileSync(join(folder, 'a.json'), 'no JSON');
    writeFileSync(join(folder, 'b.json'), JSON.stringify(kept));
    writeFileSync(join(folder, 'c.json'), JSON.stringify({ ...kept, id: '../b' }));
    const { circuits } = await shelf(folder);
    circuits.restore();
    expect(circuits.shown).toBeUndefined();
    expect(readdirSync(folder)).toHaveLength(3);
  });
});
