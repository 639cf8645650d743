/** Attribution in models other than GPT-2: norms behind sublayers, soft caps, attention and MLP side by side. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { floatsOf, floatValue } from '../../../../src/engine/graph/value.ts';
import type { CircuitInputs } from '../../../../src/engine/method/circuitInputs.ts';
import { attributeEdges } from '../../../../src/engine/method/edgeAttribution.ts';
import { attributeNodes, recordRun } from '../../../../src/engine/method/nodeAttribution.ts';
import { attributeLogits } from '../../../../src/engine/method/residualAttribution.ts';
import type { HookEdit } from '../../../../src/engine/model/edits.ts';
import { Transformer } from '../../../../src/engine/model/transformer.ts';
import { plainDecoder } from '../../../fixtures/plainDecoder.ts';
import type { PlainHook } from '../../../fixtures/plainGpt2.ts';
import { tinyDecoderWeights, tinyGemma, tinyLlama, writeTinyDecoder } from '../../../fixtures/tinyDecoder.ts';

const prompt = [3, 17, 8, 3, 22, 11, 0];
const [answer, wrong, position] = [4, 9, 5];

describe.each([
  ['Llama', tinyLlama],
  ['Gemma', tinyGemma],
] as const)('direct logit attribution in a small model like %s', (_, config) => {
  const { nHeads, dHead, dModel, nLayers, dVocab, gainOffset, logitCap, postNorms } = config;
  const weights = tinyDecoderWeights(config, 3);
  const weight = (name: string) => weights.get(`${name}.weight`)!.data;
  let model: Transformer;
  beforeAll(async () => {
    model = await Transformer.open(await writeTinyDecoder(config, weights));
  });
  afterAll(() => model?.release());

  /** The last norm's gain times the difference of the unembedding's rows, over the norm's scale. */
  function readingDirection(hooks: ReadonlyMap<string, Float64Array>): number[] {
    const unembedding = weight(config.tied ? 'model.embed_tokens' : 'lm_head');
    const scale = hooks.get('ln_final.hook_scale')![position]!;
    return Array.from({ length: dModel }, (_x, i) => {
      const row = unembedding[answer * dModel + i]! - unembedding[wrong * dModel + i]!;
      return (row * (weight('model.norm')[i]! + gainOffset)) / scale;
    });
  }

  /** What a head writes, through the norm behind the attention where there is one. */
  function headWrite(hooks: ReadonlyMap<string, Float64Array>, layer: number, head: number): number[] {
    const z = hooks.get(`blocks.${layer}.attn.hook_z`)!;
    const output = weight(`model.layers.${layer}.self_attn.o_proj`);
    const gain = weight(`model.layers.${layer}.post_attention_layernorm`);
    const scale = hooks.get(`blocks.${layer}.ln1_post.hook_scale`)?.[position] ?? 1;
    return Array.from({ length: dModel }, (_x, to) => {
      let written = 0;
      for (let i = 0; i < dHead; i++) {
        const from = head * dHead + i;
        written += z[position * nHeads * dHead + from]! * output[to * nHeads * dHead + from]!;
      }
      return postNorms ? (written * (gain[to]! + gainOffset)) / scale : written;
    });
  }

  it.each([false, true])(
    'takes the contrast apart by plain loops (with an intervention: %s)',
    async (isEdited) => {
      const edits: HookEdit[] = isEdited
        ? [{ hook: 'blocks.1.attn.hook_z', keep: floatValue([1, 0, 1, 2], [1, 1, 4, 1]), add: 0 }]
        : [];
      const edited: PlainHook = (name, { data }) => {
        if (!isEdited || name !== 'blocks.1.attn.hook_z') return;
        data.forEach((x, i) => {
          data[i] = x * [1, 0, 1, 2][Math.floor(i / dHead) % nHeads]!;
        });
      };
      const hooks = new Map<string, Float64Array>();
      const logits = plainDecoder(config, weights, prompt, (name, value) => {
        edited(name, value);
        hooks.set(name, value.data.slice());
      });
      const ids = Int32Array.from(prompt);
      const { residuals } = await model.run({ tokens: [ids], edits });
      const run = { ids, edits, residuals: residuals.map((value) => value!) };
      const found = await attributeLogits(model, run, {
        position,
        weights: new Map([
          [answer, 1],
          [wrong, -1],
        ]),
      });
      const named = new Map(found.components.map(({ component, value }) => [component, value]));
      const direction = readingDirection(hooks);
      const along = (write: ArrayLike<number>) => direction.reduce((sum, x, i) => sum + x * write[i]!, 0);
      const row = (name: string) => hooks.get(name)!.subarray(position * dModel, (position + 1) * dModel);
      expect(named.get('token embedding')).toBeCloseTo(along(row('hook_embed')), 4);
      expect(named.has('position embedding')).toBe(false);
      for (let layer = 0; layer < nLayers; layer++) {
        for (let head = 0; head < nHeads; head++) {
          expect(named.get(`head ${layer}.${head}`), `${layer}.${head}`).toBeCloseTo(
            along(headWrite(hooks, layer, head)),
            4,
          );
        }
        expect(named.get(`MLP ${layer}`)).toBeCloseTo(along(row(`blocks.${layer}.hook_mlp_out`)), 4);
      }
      const at = (token: number) => logits[position * dVocab + token]!;
      const uncapped = (logit: number) =>
        logitCap === undefined ? logit : logitCap * Math.atanh(logit / logitCap);
      const cap = at(answer) - at(wrong) - (uncapped(at(answer)) - uncapped(at(wrong)));
      expect(named.get('soft cap') ?? 0).toBeCloseTo(cap, 4);
      expect(named.has('soft cap')).toBe(logitCap !== undefined);
      expect(found.total).toBeCloseTo(at(answer) - at(wrong), 4);
      // These models have no biases, and the intervention acts inside what heads write.
      expect(found.components.at(-1)!.value).toBeCloseTo(0, 4);
    },
  );
});

describe('edges of a model whose attention and MLP work side by side', () => {
  const folder = fileURLToPath(new URL('../../../fixtures/parity/families/gpt_neox', import.meta.url));
  let inputs: CircuitInputs;
  beforeAll(async () => {
    const model = await Transformer.open(folder);
    inputs = {
      model,
      ids: Int32Array.from(prompt),
      tokens: prompt.map((id, i) => ({ id, text: String(id), start: i, end: i + 1 })),
      contrast: { position: prompt.length - 1, answer, wrong },
      metric: 'answer − wrong',
      saes: [],
      labelOf: () => ({}),
    };
  });
  afterAll(() => inputs?.model.release());

  it('let an MLP read what enters its block, and nothing of the attention beside it', async () => {
    const { model, ids } = inputs;
    expect(JSON.parse(await readFile(`${folder}/config.json`, 'utf8'))).toMatchObject({
      use_parallel_residual: true,
    });
    const clean = await recordRun(inputs, ids);
    const nodes = await attributeNodes(inputs, clean, undefined);
    const edges = await attributeEdges(inputs, clean, undefined, nodes);
    expect(edges.some(({ source, target }) => /^head1\./.test(source) && /^mlp1@/.test(target))).toBe(false);
    const token = nodes.find(({ node }) => node.id === 'token@2')!;
    const mlp = nodes.find(({ node }) => node.id === 'mlp1@2')!;
    // The slope of the metric's share that passes through the MLP's output, along what the token writes.
    const { dModel } = model.config;
    const written = floatsOf(clean.residuals[0]!).slice(2 * dModel, 3 * dModel);
    const through = async (step: number): Promise<number> => {
      const residual = floatsOf(clean.residuals[1]!).slice();
      for (let i = 0; i < dModel; i++) residual[2 * dModel + i]! += step * written[i]!;
      const from = { layer: 1, residual: floatValue(residual, [1, ids.length, dModel]) };
      const run = await model.run({ from, stopAtLayer: 2, capture: ['blocks.1.hook_mlp_out'] });
      const out = floatsOf(run.hooks.get('blocks.1.hook_mlp_out')!).subarray(2 * dModel, 3 * dModel);
      return out.reduce((sum, x, i) => sum + x * mlp.gradient[i]!, 0);
    };
    const step = 1e-2;
    const slope = ((await through(step)) - (await through(-step))) / (2 * step);
    const edge = edges.find(({ source, target }) => source === token.node.id && target === mlp.node.id)!;
    expect(Math.abs(slope)).toBeGreaterThan(1e-3);
    expect(edge.weight / slope).toBeCloseTo(1, 2);
  });
});
