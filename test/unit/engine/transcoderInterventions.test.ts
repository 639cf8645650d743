/** Interventions on a transcoder's features: what they would have written is changed at the MLP's output, in the same block. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { EditAction } from '../../../src/shared/domain.ts';
import { plainActivations, tinyDSae } from '../../fixtures/tinyModel.ts';
import { failure } from '../temporaryFolder.ts';
import {
  atRows,
  dModel,
  edit,
  expectLogits,
  extraSae,
  logitsOf,
  openTinyEngine,
  plainLogits,
  plainValue,
  prompt,
  type TinyEngine,
  writeSae,
} from './tinyEngine.ts';

const reads = 'blocks.0.mlp.hook_in';
const writes = 'blocks.0.hook_mlp_out';

let look: TinyEngine;
let sae: string;

beforeAll(async () => {
  look = await openTinyEngine(3);
  const target = { kind: 'transcoder', hooks: [writes], width: dModel } as const;
  sae = await writeSae(look, { hookName: reads, target, applyBDecToInput: false, architecture: 'standard' });
});

afterAll(() => look?.close());

/** Activations at every position by plain loops; nothing is subtracted from a transcoder's input. */
async function activations(): Promise<number[][]> {
  const value = await plainValue(look, reads);
  const plain = { ...extraSae, b_dec: new Float32Array(dModel) };
  return Array.from({ length: value.length / dModel }, (_, p) =>
    plainActivations(plain, value.subarray(p * dModel, (p + 1) * dModel), tinyDSae),
  );
}

it('shows the features of what the MLP reads', async () => {
  const { features } = await look.engine.analyze({
    model: look.model.id,
    text: prompt,
    saes: [sae],
    topFeatures: tinyDSae,
    topPredictions: 1,
    edits: [],
  });
  const expected = await activations();
  expected.forEach((row, p) => {
    const { indices, activations: found } = features[0]!;
    row.forEach((f, index) => {
      const at = indices.subarray(p * tinyDSae, (p + 1) * tinyDSae).indexOf(index);
      expect(at < 0 ? 0 : found[p * tinyDSae + at]).toBeCloseTo(f, 4);
    });
  });
});

it.each([
  [{ kind: 'zero' }, () => 0],
  [{ kind: 'set', value: 2 }, () => 2],
  [{ kind: 'scale', factor: 3 }, (f: number) => 3 * f],
  [{ kind: 'add', amount: 1.5 }, (f: number) => f + 1.5],
] satisfies [EditAction, (f: number) => number][])(
  'writes the change of %o where the transcoder writes',
  async (action, to) => {
    const rows = await activations();
    const index = rows.at(-1)!.findIndex((f) => f > 0);
    const target = { kind: 'feature', feature: { sae, index } } as const;
    const found = await look.analyze([edit(target, action)]);
    const moved = atRows(writes, (row, p) => {
      const delta = to(rows[p]![index]!) - rows[p]![index]!;
      for (let d = 0; d < dModel; d++) row[d]! += delta * extraSae.W_dec[index * dModel + d]!;
    });
    expectLogits(logitsOf(found), await plainLogits(look, moved));
  },
);

it('sees what interventions before it in the block have changed', async () => {
  const index = (await activations()).at(-1)!.findIndex((f) => f > 0);
  const doubled = edit({ kind: 'hook', hook: reads }, { kind: 'scale', factor: 2 }, { id: 'doubled' });
  const removed = edit({ kind: 'feature', feature: { sae, index } }, { kind: 'zero' });
  const found = await look.analyze([removed, doubled]);
  const plain = { ...extraSae, b_dec: new Float32Array(dModel) };
  const before: number[] = [];
  const doubling = atRows(reads, (row, p) => {
    for (let d = 0; d < dModel; d++) row[d]! *= 2;
    before[p] = plainActivations(plain, row, tinyDSae)[index]!;
  });
  const removing = atRows(writes, (row, p) => {
    for (let d = 0; d < dModel; d++) row[d]! -= before[p]! * extraSae.W_dec[index * dModel + d]!;
  });
  const both = await plainLogits(look, (name, value) => {
    doubling(name, value);
    removing(name, value);
  });
  expectLogits(logitsOf(found), both);
});

it('is refused twice for one feature, and in circuits', async () => {
  const target = { kind: 'feature', feature: { sae, index: 1 } } as const;
  const twice = [edit(target, { kind: 'zero' }), edit(target, { kind: 'set', value: 1 }, { id: 'second' })];
  expect(await failure(look.analyze(twice))).toMatchObject({
    code: 'request.invalid',
    message: expect.stringContaining('second intervention on the same feature'),
  });
  const contrast = { answer: ' words', wrong: ' letter' };
  const request = { model: look.model.id, text: prompt, contrast, saes: [sae], maxNodes: 5 };
  expect(await failure(look.engine.findCircuit(request))).toMatchObject({
    code: 'request.invalid',
    message: expect.stringContaining('circuits take SAEs'),
  });
});

it('tells the tokens that a feature raises by what it writes', async () => {
  await look.analyze();
  const request = {
    model: look.model.id,
    text: prompt,
    saes: [sae],
    topFeatures: 1,
    topPredictions: 1,
    edits: [],
  };
  await look.engine.analyze(request);
  const [info] = await look.engine.featureInfo({ features: [{ sae, index: 2 }], logits: true });
  const unembedding = look.weight('wte.weight');
  const direct = Array.from({ length: unembedding.length / dModel }, (_, token) => {
    let sum = 0;
    for (let d = 0; d < dModel; d++)
      sum += extraSae.W_dec[2 * dModel + d]! * unembedding[token * dModel + d]!;
    return sum;
  });
  expect(info!.topLogits![0]!.logit).toBeCloseTo(Math.max(...direct), 3);
});
