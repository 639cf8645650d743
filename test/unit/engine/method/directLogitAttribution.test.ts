/** Direct logit attribution adds up to the logit in every family; features add up to their hook; lenses agree with attributions. */
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { floatsOf } from '../../../../src/engine/graph/value.ts';
import { attributeFeatures, componentLens } from '../../../../src/engine/method/directLogitAttribution.ts';
import { attributeLogits, readingDirection } from '../../../../src/engine/method/residualAttribution.ts';
import { Readout } from '../../../../src/engine/model/readout.ts';
import { Transformer } from '../../../../src/engine/model/transformer.ts';
import { cleanIds, openTinyCircuit, type TinyCircuit } from './tinyCircuit.ts';

const families = fileURLToPath(new URL('../../../fixtures/parity/families', import.meta.url));
const ids = Int32Array.from([3, 17, 42, 8, 17, 60, 5]);
const position = ids.length - 1;
const [answer, wrong] = [11, 29];
const sum = {
  position,
  weights: new Map([
    [answer, 1],
    [wrong, -1],
  ]),
};

/** The projection of one position of a value onto the direction that is read. */
function along(value: Float32Array, direction: Float32Array, at = position): number {
  return direction.reduce((total, x, d) => total + x * value[at * direction.length + d]!, 0);
}

describe.each(readdirSync(families))('a contrast in a small model like %s', (family) => {
  let model: Transformer;
  beforeAll(async () => {
    model = await Transformer.open(`${families}/${family}`);
  });
  afterAll(() => model?.release());

  it('is the sum of its components and the biases, within 1e-3', async () => {
    const { nLayers, norm, logitCap } = model.config;
    const layers = Array.from({ length: nLayers }, (_, layer) => layer);
    const capture = layers.map((layer) => `blocks.${layer}.hook_attn_out`);
    const run = await model.run({ tokens: [ids], capture, logits: 'last' });
    const residuals = run.residuals.map((value) => value!);
    const { components, total } = await attributeLogits(model, { ids, residuals, edits: [] }, sum);
    const logits = floatsOf(run.logits!);
    expect(total).toBeCloseTo(logits[answer]! - logits[wrong]!, 4);
    const value = (name: string) => components.find(({ component }) => component === name)?.value ?? 0;
    // The biases are told by what the others leave over, so they are worked out here from the model.
    const { direction, uncapped } = await readingDirection(model, residuals[nLayers]!, sum);
    let biases = uncapped - along(floatsOf(residuals[nLayers]!), direction);
    for (const layer of layers) {
      const heads = components.filter((part) => part.layer === layer && part.head !== undefined);
      const attended = along(floatsOf(run.hooks.get(capture[layer]!)!), direction);
      biases += attended - heads.reduce((all, part) => all + part.value, 0);
    }
    expect(Math.abs(value('biases') - biases)).toBeLessThan(1e-3);
    expect(value('soft cap') !== 0).toBe(logitCap !== undefined);
    // Families whose layers have no biases: nothing may be left over at all.
    const isBare = norm.kind === 'rms' && /^(llama|gemma|mistral|olmo2|qwen3|phi3)/.test(family);
    if (isBare && family !== 'llama-biased') expect(Math.abs(value('biases'))).toBeLessThan(1e-3);
    expect(Math.max(...components.map((part) => Math.abs(part.value)))).toBeGreaterThan(0.005);
  });

  it('agrees with the lens of every component, token by token', async () => {
    const readout = new Readout(model.graph, model.config);
    onTestFinished(() => readout.release());
    const { residuals } = await model.run({ tokens: [ids] });
    const run = { ids, residuals: residuals.map((value) => value!), edits: [] };
    const { components } = await attributeLogits(model, run, sum);
    const tokenizer = { tokenText: String };
    const { dVocab } = model.config;
    const lenses = await componentLens({ model, readout, tokenizer }, ids, { position, top: dVocab });
    for (const lens of lenses) {
      const logit = (token: number) => lens.topLogits.find(({ id }) => id === token)!.logit;
      const parts = components.filter((part) =>
        lens.layer < 0 ? part.layer < 0 : part.component === lens.component,
      );
      expect(parts.length, lens.component).toBeGreaterThan(0);
      const expected = parts.reduce((all, part) => all + part.value, 0);
      expect(Math.abs(logit(answer) - logit(wrong) - expected), lens.component).toBeLessThan(1e-3);
    }
  });
});

describe('features', () => {
  let circuit: TinyCircuit;
  beforeAll(async () => {
    circuit = await openTinyCircuit(6);
  });
  afterAll(() => circuit?.close());

  it('add up with the error and the bias to what their hook adds, by plain loops', async () => {
    const { model, saes, tiny } = circuit;
    const run = await model.run({ tokens: [Int32Array.from(cleanIds)] });
    const attributed = { ids: Int32Array.from(cleanIds), residuals: run.residuals.map((x) => x!), edits: [] };
    const at = { ...sum, position: cleanIds.length - 1 };
    const { direction } = await readingDirection(model, attributed.residuals[2]!, at);
    for (const { sae, hook } of saes) {
      const found = await attributeFeatures(model, attributed, { sae, hook }, at);
      const value = circuit.value(hook, cleanIds);
      const expected = along(Float32Array.from(value), direction, cleanIds.length - 1);
      expect(found.total).toBeCloseTo(expected, 3);
      const parts = found.features.reduce((all, part) => all + part.value, 0);
      expect(parts + found.bias + found.error).toBeCloseTo(expected, 3);
      const weights = tiny.saes.get(hook)!;
      expect(found.bias).toBeCloseTo(along(weights.b_dec, direction, 0), 3);
      for (const { index, activation, value: part } of found.features) {
        expect(part).toBeCloseTo(activation * along(weights.W_dec, direction, index), 3);
      }
      expect(found.features.length).toBeGreaterThan(0);
    }
  });

  it('are refused where nothing of the hook reaches the stream', async () => {
    const { model, saes } = circuit;
    const run = { ids, residuals: [], edits: [] };
    const elsewhere = { sae: saes[0]!.sae, hook: 'blocks.0.mlp.hook_pre' };
    await expect(attributeFeatures(model, run, elsewhere, sum)).rejects.toThrow(
      /no part of the residual stream/,
    );
  });
});
