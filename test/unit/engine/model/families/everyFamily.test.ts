/** What must hold for every family alike, whatever its weights look like: the slow ways of computing give what the fast ones do. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { floatsOf, type Value } from '../../../../../src/engine/graph/value.ts';
import { gradientsAt } from '../../../../../src/engine/model/gradients.ts';
import { blockHookAxes, embedHookAxes } from '../../../../../src/engine/model/hooks.ts';
import { logitDifferenceGradient } from '../../../../../src/engine/model/logitGradients.ts';
import { stageHooks } from '../../../../../src/engine/model/modelHooks.ts';
import { Readout } from '../../../../../src/engine/model/readout.ts';
import { Transformer } from '../../../../../src/engine/model/transformer.ts';
import { failure } from '../../../temporaryFolder.ts';

const fixtures = join(import.meta.dirname, '../../../../fixtures/parity/families');
const names = readdirSync(fixtures);
const tokens = [Int32Array.from([5, 17, 8, 3, 22, 11, 60, 5, 9])];
const rows = tokens[0]!.length;

describe.each(names)('the small %s', (name) => {
  let model: Transformer;
  let logits: Float32Array;
  beforeAll(async () => {
    model = await Transformer.open(join(fixtures, name));
    logits = floatsOf((await model.run({ tokens })).logits!);
  });
  afterAll(() => model?.release());

  it('computes the same when heads read by paths of their own', async () => {
    const edits = ['q', 'k', 'v'].map((part) => ({ hook: `blocks.1.hook_${part}_input`, keep: 1, add: 0 }));
    const run = await model.run({ tokens, edits });
    expect(gap(run.logits!, logits)).toBeLessThan(2e-5);
  });

  it('computes the same when the attention output is put together from its heads', async () => {
    const run = await model.run({ tokens, edits: [{ hook: 'blocks.1.attn.hook_result', keep: 1, add: 0 }] });
    expect(gap(run.logits!, logits)).toBeLessThan(2e-5);
  });

  it('computes the same when edits that change nothing stand at every hook', async () => {
    const { nLayers } = model.config;
    const hooks = [
      ...stageHooks(model.config, 'embed'),
      ...stageHooks(model.config, nLayers - 1)
        .filter((hook) => !/_input$/.test(hook))
        .map((hook) => `blocks.${nLayers - 1}.${hook}`),
      ...stageHooks(model.config, 'final'),
    ];
    const run = await model.run({ tokens, edits: hooks.map((hook) => ({ hook, keep: 1, add: 0 })) });
    expect(gap(run.logits!, logits)).toBeLessThan(2e-5);
  });

  it('computes the same from a layer on, in a batch, and for the last position alone', async () => {
    const { residuals } = await model.run({ tokens, logits: 'none' });
    const from = await model.run({ from: { layer: 1, residual: residuals[1]! } });
    expect(gap(from.logits!, logits)).toBeLessThan(1e-5);
    const batch = await model.run({
      tokens: [Int32Array.from(tokens[0]!, (id) => (id + 1) % 72), tokens[0]!],
    });
    expect(gap(batch.logits!, logits, logits.length)).toBeLessThan(1e-5);
    const last = await model.run({ tokens, logits: 'last' });
    expect(gap(last.logits!, logits.subarray((rows - 1) * model.config.dVocab))).toBeLessThan(1e-5);
  });

  it('reads a stream out as predictions with the logits of the run', async () => {
    const { residuals } = await model.run({ tokens, logits: 'none' });
    const readout = new Readout(model.graph, model.config);
    const { ids, logits: best, logSumExp } = await readout.predict(floatsOf(residuals.at(-1)!), 3);
    await readout.release();
    const { dVocab } = model.config;
    for (let row = 0; row < rows; row++) {
      const own = logits.subarray(row * dVocab, (row + 1) * dVocab);
      const order = [...own.keys()].sort((a, b) => own[b]! - own[a]!);
      expect([...ids.subarray(3 * row, 3 * row + 3)]).toEqual(order.slice(0, 3));
      expect(best[3 * row]).toBeCloseTo(own[order[0]!]!, 4);
      expect(logSumExp[row]).toBeCloseTo(Math.log(own.reduce((sum, x) => sum + Math.exp(x), 0)), 4);
    }
  });

  it('splits a gradient among the inputs of its heads', async () => {
    const { residuals } = await model.run({ tokens, logits: 'none' });
    const seed = logitDifferenceGradient(rows - 1, 4, 9);
    const parts = ['q', 'k', 'v'].map((part) => `blocks.1.hook_${part}_input`);
    const around = ['blocks.1.hook_resid_pre', 'blocks.1.hook_mlp_in', 'blocks.1.hook_resid_post'];
    const found = await gradientsAt(model, { residuals, seed, hooks: [...parts, ...around] });
    // What enters the block reaches the logits through the heads' inputs, through the MLP's, and past both.
    const { dModel, parallel } = model.config;
    const through = new Float64Array(rows * dModel);
    for (const part of parts) {
      const value = found.get(part)!;
      const heads = value.dims[2]!;
      floatsOf(value).forEach((x, i) => {
        through[Math.floor(i / (heads * dModel)) * dModel + (i % dModel)]! += x;
      });
    }
    const [pre, mlp, post] = around.map((hook) => floatsOf(found.get(hook)!));
    const past = parallel ? post!.map((x, i) => x + mlp![i]!) : await middleGradient(residuals, seed);
    const size = pre!.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    pre!.forEach((x, i) => {
      expect(Math.abs(x - past[i]! - through[i]!) / size).toBeLessThan(1e-4);
    });
  });

  it('says why it lacks the hooks of other families', async () => {
    const own = [
      ...stageHooks(model.config, 'embed'),
      ...stageHooks(model.config, 0).map((hook) => `blocks.0.${hook}`),
    ];
    const known = [
      ...Object.keys(embedHookAxes),
      ...Object.keys(blockHookAxes).map((hook) => `blocks.0.${hook}`),
    ];
    const missing = known.filter((hook) => !own.includes(hook));
    expect(missing.length).toBeGreaterThan(0);
    for (const hook of missing) {
      const error = await failure(model.run({ tokens, capture: [hook] }));
      expect(error).toMatchObject({ code: 'request.invalid', data: { what: `The hook "${hook}"` } });
      expect(error).toEqual(await failure(model.run({ tokens, edits: [{ hook, keep: 0, add: 0 }] })));
    }
  });

  async function middleGradient(
    residuals: readonly (Value | undefined)[],
    seed: ReturnType<typeof logitDifferenceGradient>,
  ): Promise<Float32Array> {
    const hook = 'blocks.1.hook_resid_mid';
    return floatsOf((await gradientsAt(model, { residuals, seed, hooks: [hook] })).get(hook)!);
  }
});

/** Largest |a − b|, with `a` read from element `from` on. */
function gap(a: Value, b: Float32Array, from = 0): number {
  const values = floatsOf(a).subarray(from);
  if (values.length !== b.length) return Number.POSITIVE_INFINITY;
  return values.reduce((most, x, i) => Math.max(most, Math.abs(x - b[i]!)), 0);
}
