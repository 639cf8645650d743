/** One open circuit: steps back and forth, evaluation of the latest choice alone, what can be ablated, what a file gets. */
import { describe, expect, it } from 'vitest';
import { type CircuitModels, localFeature } from '../../../../src/host/circuits/localCircuit.ts';
import { OpenCircuit } from '../../../../src/host/circuits/openCircuit.ts';
import { silentLog } from '../../../../src/host/log.ts';
import type { CircuitDocument, CircuitEvaluation } from '../../../../src/shared/circuit.ts';
import type { ModelInfo, SaeInfo } from '../../../../src/shared/domain.ts';
import type { CircuitEvaluationRequest, EngineApi } from '../../../../src/shared/engineApi.ts';
import { EngineError } from '../../../../src/shared/errors.ts';
import { createFakeEngine } from '../../../fixtures/fakeEngine.ts';
import { tinyCircuit } from '../../../fixtures/tinyCircuit.ts';

const hook = 'blocks.1.hook_resid_post';
const sae = { id: '/saes/one', hook, hash: 'def456', dSae: 100, kind: 'sae' } as SaeInfo;

async function modelsOf(change: Partial<CircuitModels> = {}): Promise<CircuitModels> {
  const info = await createFakeEngine().openModel({ path: '/models/mini' });
  const model: ModelInfo = { ...info, hash: 'abc123' };
  return { model, saes: [sae], ensure: async () => model, ...change };
}

function evaluationOf(faithfulness: number): CircuitEvaluation {
  return { faithfulness, completeness: 0, full: 1, empty: 0, circuit: 1, complement: 0 };
}

async function openCircuit(
  evaluateCircuit: EngineApi['evaluateCircuit'] = async ({ kept }) => evaluationOf(kept.length),
  { document = tinyCircuit, models }: { document?: CircuitDocument; models?: CircuitModels } = {},
): Promise<OpenCircuit> {
  const engine = { evaluateCircuit };
  const open = models ?? (await modelsOf());
  return new OpenCircuit(document, { id: 'c1', name: 'tiny', engine, models: open, log: silentLog });
}

const annotations = tinyCircuit.annotations!;
const pinned = (...ids: string[]) => ({ ...annotations, pinned: ids });

describe('annotations', () => {
  it('are taken back and done again step by step; a new step forgets what was taken back', async () => {
    const circuit = await openCircuit();
    circuit.annotate(pinned('error'), 'Pin error');
    circuit.annotate(pinned('error', 'logit'), 'Pin logit');
    expect([circuit.canUndo, circuit.canRedo]).toEqual([true, false]);
    circuit.undo();
    expect(circuit.annotations.pinned).toEqual(['error']);
    circuit.undo();
    expect(circuit.annotations).toEqual(annotations);
    expect([circuit.canUndo, circuit.canRedo]).toEqual([false, true]);
    circuit.undo();
    circuit.redo();
    circuit.redo();
    expect(circuit.annotations.pinned).toEqual(['error', 'logit']);
    circuit.undo();
    circuit.annotate(pinned('neuron'), 'Pin neuron');
    expect(circuit.canRedo).toBe(false);
    circuit.undo();
    expect(circuit.annotations.pinned).toEqual(['error']);
  });

  it('that change nothing are no step', async () => {
    const circuit = await openCircuit();
    const steps: string[] = [];
    circuit.onDidStep(({ what }) => steps.push(what));
    circuit.annotate({ ...annotations }, 'Nothing');
    circuit.annotate(pinned(), 'Unpin all');
    expect(steps).toEqual(['Unpin all']);
  });

  it('follow an editor’s own history, which tells each step to go back', async () => {
    const circuit = await openCircuit();
    const steps: { undo(): void; redo(): void }[] = [];
    circuit.onDidStep((step) => steps.push(step));
    circuit.annotate(pinned('error'), 'one');
    circuit.annotate(pinned('logit'), 'two');
    steps[1]?.undo();
    steps[0]?.undo();
    expect(circuit.annotations).toEqual(annotations);
    expect([circuit.canUndo, circuit.canRedo]).toEqual([false, true]);
    steps[0]?.redo();
    expect(circuit.annotations.pinned).toEqual(['error']);
    expect([circuit.canUndo, circuit.canRedo]).toEqual([true, true]);
    steps[1]?.redo();
    expect(circuit.annotations.pinned).toEqual(['logit']);
  });

  it('of a circuit that nobody has touched keep the sixty strongest nodes', async () => {
    const nodes = Array.from({ length: 100 }, (_, i) => ({
      id: `mlp ${i}`,
      kind: 'mlp' as const,
      layer: 0,
      position: 0,
      label: '',
      effect: i,
    }));
    const document = { ...tinyCircuit, nodes, edges: [], annotations: undefined };
    expect((await openCircuit(undefined, { document })).annotations.keep).toBe(0.6);
    const few = { ...tinyCircuit, annotations: undefined };
    expect((await openCircuit(undefined, { document: few })).annotations.keep).toBe(1);
  });

  it('go into the file with what was measured', async () => {
    const circuit = await openCircuit();
    circuit.annotate({ ...annotations, title: 'Mine' }, 'Title');
    await circuit.evaluate(['logit', 'error']);
    expect(circuit.title).toBe('Mine');
    expect(circuit.document).toMatchObject({
      annotations: { title: 'Mine' },
      evaluation: { faithfulness: 2 },
    });
    expect(circuit.document.nodes).toBe(tinyCircuit.nodes);
  });

  it('and history are another file’s once that is read', async () => {
    const circuit = await openCircuit();
    circuit.annotate(pinned('error'), 'Pin');
    circuit.select('error');
    circuit.replace({ ...tinyCircuit, nodes: tinyCircuit.nodes.filter(({ id }) => id !== 'error') });
    expect([circuit.canUndo, circuit.selected, circuit.annotations]).toEqual([false, undefined, annotations]);
  });
});

describe('a file that was read again', () => {
  it('is not changed by steps of the content before, whoever has kept them', async () => {
    const circuit = await openCircuit();
    const steps: { undo(): void; redo(): void }[] = [];
    circuit.onDidStep((step) => steps.push(step));
    circuit.annotate(pinned('error'), 'one');
    circuit.replace({ ...tinyCircuit, annotations: { ...annotations, title: 'From the branch' } });
    steps[0]?.undo();
    expect(circuit.annotations.title).toBe('From the branch');
    steps[0]?.redo();
    expect(circuit.annotations.pinned).toEqual(annotations.pinned);
    circuit.annotate(pinned('logit'), 'two');
    steps[1]?.undo();
    expect(circuit.annotations.title).toBe('From the branch');
  });
});

describe('evaluation', () => {
  it('is of the latest choice only, and answers at once for one that is known', async () => {
    const answers: (() => void)[] = [];
    const asked: readonly string[][] = [];
    const circuit = await openCircuit(({ kept }) => {
      (asked as string[][]).push([...kept]);
      return new Promise((resolve) => answers.push(() => resolve(evaluationOf(kept.length))));
    });
    const first = circuit.evaluate(['a']);
    const second = circuit.evaluate(['a', 'b']);
    await new Promise((resolve) => setTimeout(resolve));
    for (const answer of answers.reverse()) answer();
    await Promise.all([first, second]);
    expect(circuit.evaluation?.faithfulness).toBe(2);
    const before = asked.length;
    await circuit.evaluate(['b', 'a']);
    expect(asked).toHaveLength(before);
    expect(circuit.evaluation?.faithfulness).toBe(2);
  });

  it('asks with the open SAEs in place of hooks', async () => {
    let asked: CircuitEvaluationRequest | undefined;
    const circuit = await openCircuit(async (request) => {
      asked = request;
      return evaluationOf(1);
    });
    await circuit.evaluate(['logit']);
    expect(asked?.graph.nodes.find(({ kind }) => kind === 'feature')?.feature?.sae).toBe('/saes/one');
    expect(asked?.saes).toEqual(['/saes/one']);
    expect(circuit.graph.nodes.find(({ kind }) => kind === 'feature')?.feature?.sae).toBe(hook);
  });

  it('keeps its failure until the next one succeeds', async () => {
    let fails = true;
    const circuit = await openCircuit(async () => {
      if (fails) throw new EngineError('engine.stopped', { reason: 'x' });
      return evaluationOf(1);
    });
    await circuit.evaluate(['a']);
    expect(circuit.evaluationError).toMatchObject({ code: 'engine.stopped' });
    expect(circuit.evaluation).toBeUndefined();
    fails = false;
    await circuit.evaluate(['a']);
    expect(circuit.evaluationError).toBeUndefined();
    expect(circuit.evaluation?.faithfulness).toBe(1);
  });

  const own = { name: 'mini', hash: 'abc123', bos: 'none', precision: 'float32' } as const;

  it('is remembered for the way that the model was read, and dropped when that changes meanwhile', async () => {
    const models = { ...(await modelsOf()) };
    const read = { none: models.model!, prepended: { ...models.model!, bos: 'prepended' as const } };
    let asked = 0;
    let meanwhile = (): void => {};
    const circuit = await openCircuit(
      async () => {
        meanwhile();
        return evaluationOf(++asked);
      },
      { models },
    );
    await circuit.evaluate(['a']);
    Object.assign(models, { model: read.prepended });
    await circuit.evaluate(['a']);
    expect([asked, circuit.obstacle?.kind]).toEqual([1, 'otherBos']);
    Object.assign(models, { model: read.none });
    meanwhile = () => void Object.assign(models, { model: read.prepended });
    await circuit.evaluate(['b']);
    expect([asked, circuit.evaluation?.faithfulness]).toEqual([2, 1]);
    Object.assign(models, { model: read.none });
    meanwhile = () => {};
    await circuit.evaluate(['b']);
    expect([asked, circuit.evaluation?.faithfulness]).toEqual([3, 3]);
  });

  it.each([
    ['another model', { model: { name: 'mini', hash: 'other' } as ModelInfo }, undefined, 'otherModel'],
    [
      'a model that is read with BOS',
      { model: { ...own, bos: 'prepended' } as ModelInfo },
      undefined,
      'otherBos',
    ],
    [
      'weights of another precision',
      { model: { ...own, precision: 'q8' } as ModelInfo },
      undefined,
      'otherPrecision',
    ],
    ['no SAE at the hook', { saes: [] }, undefined, 'missingSae'],
    ['another SAE at the hook', { saes: [{ ...sae, hash: 'zzz' }] }, undefined, 'otherSae'],
    ['a file that does not say which answers', {}, { ...tinyCircuit, contrast: undefined }, 'noQuestion'],
    [
      'a file without the model’s hash',
      {},
      {
        ...tinyCircuit,
        provenance: { ...tinyCircuit.provenance, model: { name: 'mini', hash: '' } },
      },
      'unknownModel',
    ],
  ] as const)('is not asked for with %s', async (_name, change, document, kind) => {
    let asked = 0;
    const evaluate = async () => {
      asked++;
      return evaluationOf(1);
    };
    const circuit = await openCircuit(evaluate, { document, models: await modelsOf(change) });
    expect(circuit.obstacle?.kind).toBe(kind);
    await circuit.evaluate(['logit']);
    expect(asked).toBe(0);
  });

  it('of an attribution graph needs its edges only', async () => {
    const document = {
      ...tinyCircuit,
      contrast: undefined,
      method: { name: 'attribution graph', parameters: {} },
      provenance: { ...tinyCircuit.provenance, model: { name: 'gemma', hash: '' } },
    };
    expect((await openCircuit(undefined, { document })).obstacle).toBeUndefined();
  });
});

describe('a node', () => {
  it('lights up the tokens of its neighbours, unless nodes stand for all positions', async () => {
    const circuit = await openCircuit();
    circuit.hover('token 1');
    expect([...circuit.hoveredPositions].sort()).toEqual([1, 3]);
    circuit.hover(undefined);
    expect(circuit.hoveredPositions).toEqual([]);
    const all = await openCircuit(undefined, { document: { ...tinyCircuit, isAggregated: true } });
    all.hover('token 1');
    expect(all.hoveredPositions).toEqual([]);
  });

  it('is ablated at its position when it is a head, an MLP or a feature of an open SAE', async () => {
    const circuit = await openCircuit();
    expect(circuit.ablationOf('head 0.2 3')).toEqual({
      target: { kind: 'head', layer: 0, head: 2 },
      action: { kind: 'zero' },
      positions: [3],
    });
    expect(circuit.ablationOf('mlp 1 3')?.target).toEqual({ kind: 'mlp', layer: 1 });
    expect(circuit.ablationOf('feature a')).toMatchObject({
      target: { kind: 'feature', feature: { sae: '/saes/one', index: 77 } },
      positions: [1],
    });
    for (const id of ['token 1', 'logit', 'error', 'neuron', 'nobody']) {
      expect(circuit.ablationOf(id)).toBeUndefined();
    }
    const { model } = await modelsOf();
    const others = [{ ...model!, hash: 'other' }, { ...model!, bos: 'prepended' as const }, undefined];
    for (const other of others) {
      const elsewhere = await openCircuit(undefined, { models: await modelsOf({ model: other }) });
      expect(elsewhere.ablationOf('head 0.2 3')).toBeUndefined();
      expect(elsewhere.ablationOf('mlp 1 3')).toBeUndefined();
    }
    const closed = await openCircuit(undefined, { models: await modelsOf({ saes: [] }) });
    expect(closed.ablationOf('feature a')).toBeUndefined();
    const all = await openCircuit(undefined, { document: { ...tinyCircuit, isAggregated: true } });
    expect(all.ablationOf('mlp 1 3')).not.toHaveProperty('positions');
  });
});

describe('SAEs of a circuit', () => {
  const imported: CircuitDocument = {
    ...tinyCircuit,
    provenance: { ...tinyCircuit.provenance, model: { name: 'gpt2-small', hash: '' }, saes: [] },
    nodes: [{ ...tinyCircuit.nodes[4]!, feature: { sae: '8-res-jb', index: 77 } }],
  };
  const node = imported.nodes[0]!;
  const model = { name: 'gpt2-small', hash: 'x' } as ModelInfo;
  const known = { ...sae, neuronpediaId: 'gpt2-small/8-res-jb' };

  it('are found by their address at Neuronpedia where a graph has nothing else', async () => {
    const models = await modelsOf({ model, saes: [known] });
    expect(localFeature(imported, node, models)).toEqual({ sae: '/saes/one', index: 77 });
  });

  it('are not taken when they have fewer features, cannot be used, or belong to another model', async () => {
    for (const change of [
      { model, saes: [{ ...known, dSae: 77 }] },
      { model, saes: [{ ...known, problem: 'too wide' }] },
      { model: { ...model, name: 'other' }, saes: [known] },
      { model: undefined, saes: [known] },
      { model, saes: [sae] },
    ]) {
      expect(localFeature(imported, node, await modelsOf(change))).toBeUndefined();
    }
  });
});
