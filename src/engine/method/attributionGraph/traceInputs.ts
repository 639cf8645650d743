/** Direct effects of all sources on a batch of targets: gradients pulled back through the frozen run, met by what sources write. */

import { matMul } from '../../graph/ops/layer.ts';
import { transpose } from '../../graph/ops/layout.ts';
import { program } from '../../graph/program.ts';
import { type CompiledProgram, compile } from '../../graph/session.ts';
import { input } from '../../graph/sources.ts';
import { type FloatValue, floatsOf, floatValue, type Value } from '../../graph/value.ts';
import { names } from '../../model/families/family.ts';
import type { StageHook } from '../../model/hooks.ts';
import { type FrozenRun, pullBack } from './frozenRun.ts';
import type { ActiveFeature, GraphSources, SourceTable } from './graphSources.ts';
import type { TranscoderSet } from './transcoderSet.ts';

/** Rows of direct effects, `[target, node]`: features, errors, tokens, then room for the logits, which affect nothing. */
export interface InputTracer {
  /** Effects on the logits of `tokens` behind the last position, each against the mean logit. */
  logits(tokens: readonly number[], into: Float32Array): Promise<void>;
  /** Effects on the pre-activations of features, by their numbers. */
  features(chosen: readonly number[], into: Float32Array): Promise<void>;
  release(): Promise<void>;
}

export interface TracedModel {
  readonly frozen: FrozenRun;
  readonly set: TranscoderSet;
  readonly sources: GraphSources;
  /** Numbers in a row. */
  readonly nodes: number;
}

/** Gets ready to trace. The caller releases it. */
export async function inputTracer(traced: TracedModel, signal?: AbortSignal): Promise<InputTracer> {
  const contraction = await compile(contractionProgram());
  return {
    logits: async (tokens, into) => {
      const { model } = traced.frozen;
      const start = await logitGradient(traced.frozen, tokens);
      await pullRows({ ...traced, contraction }, model.config.nLayers - 1, start, new Map(), into, signal);
    },
    features: async (chosen, into) => {
      const { frozen, sources } = traced;
      const targets = chosen.map((node) => sources.features[node]!);
      const top = Math.max(...targets.map(({ layer }) => layer));
      const { dModel } = frozen.model.config;
      const dims = [chosen.length, frozen.positions, dModel];
      const start = floatValue(new Float32Array(chosen.length * frozen.positions * dModel), dims);
      const readings = await encoderRows(traced, targets);
      await pullRows({ ...traced, contraction }, top, start, readings, into, signal);
    },
    release: () => contraction.release(),
  };
}

interface Pulled extends TracedModel {
  readonly contraction: CompiledProgram;
}

/** Pulls gradients down from layer `top` and adds to `into` `[row, node]` what each source's vector makes of them. */
async function pullRows(
  pulled: Pulled,
  top: number,
  start: FloatValue,
  readings: ReadonlyMap<number, FloatValue>,
  into: Float32Array,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { frozen, set, sources } = pulled;
  const written = new Map<number, FloatValue>();
  const arrived = await pullBack({
    frozen,
    layers: set.layers,
    top,
    start,
    signal,
    meet: async (layer, gradient) => {
      if (gradient) await contract(pulled, gradient, sources.layers[layer]!, into);
      const skipped = await throughSkip(set, layer, written, gradient);
      return sum(readings.get(layer), skipped);
    },
  });
  await contract(pulled, arrived, sources.tokens, into);
}

/** What a skip connection leads on from the outputs that its transcoder writes, or undefined. */
async function throughSkip(
  { byLayer }: TranscoderSet,
  layer: number,
  written: Map<number, FloatValue>,
  gradient: FloatValue | undefined,
): Promise<FloatValue | undefined> {
  if (gradient && byLayer.some((placed) => placed?.hasSkip)) written.set(layer, gradient);
  const placed = byLayer[layer];
  if (!placed?.hasSkip || written.size === 0) return undefined;
  const [batch = 0, positions = 0] = [...written.values()][0]!.dims;
  const { sae, writes } = placed;
  const { width } = sae.config.target!;
  const all = new Float32Array(batch * positions * sae.dOut);
  for (const { layer: at, offset } of writes) {
    const own = written.get(at)?.data;
    for (let row = 0; own && row < batch * positions; row++)
      all.set(own.subarray(row * width, (row + 1) * width), row * sae.dOut + offset);
  }
  const { data } = await sae.skipGradient(floatValue(all, [batch * positions, sae.dOut]));
  return floatValue(data, [batch, positions, sae.config.dIn]);
}

function sum(a: FloatValue | undefined, b: FloatValue | undefined): FloatValue | undefined {
  if (!a || !b) return a ?? b;
  return floatValue(
    a.data.map((x, i) => x + b.data[i]!),
    a.dims,
  );
}

/** `[position, batch, slot]`: every row's gradient at a position times the vectors that are added there. */
function contractionProgram() {
  const gradient = input('gradient', 'float32', ['batch', 'position', 'width']);
  const vectors = input('vectors', 'float32', ['position', 'slot', 'width']);
  return program({ effects: matMul(transpose(gradient, [1, 0, 2]), transpose(vectors, [0, 2, 1])) });
}

async function contract(
  { contraction, nodes }: Pulled,
  gradient: FloatValue,
  table: SourceTable,
  into: Float32Array,
): Promise<void> {
  const [positions = 0, slots = 0] = table.vectors.dims;
  if (slots === 0) return;
  const batch = gradient.dims[0]!;
  const { effects } = await contraction.run({ gradient, vectors: table.vectors });
  const found = floatsOf(effects!);
  for (let position = 0; position < positions; position++) {
    for (let slot = 0; slot < slots; slot++) {
      const node = table.nodes[position * slots + slot]!;
      if (node < 0) continue;
      for (let row = 0; row < batch; row++)
        into[row * nodes + node]! += found[(position * batch + row) * slots + slot]!;
    }
  }
}

/**
 * The gradient of `logit − mean logit` at the stream behind the last block, `[target, position, d_model]`: the final norm's
 * scale is frozen and the logits' soft cap left out, as circuit-tracer does.
 */
async function logitGradient(frozen: FrozenRun, tokens: readonly number[]): Promise<FloatValue> {
  const { model, positions } = frozen;
  const { dVocab, dModel, nLayers } = model.config;
  const seed = new Float32Array(tokens.length * dVocab).fill(-1 / dVocab);
  tokens.forEach((token, row) => {
    seed[row * dVocab + token]! += 1;
  });
  const last = floatsOf(frozen.residuals[nLayers]!).subarray((positions - 1) * dModel);
  const residual = new Float32Array(tokens.length * dModel);
  for (let row = 0; row < tokens.length; row++) residual.set(last, row * dModel);
  const results = await model.stages.backward({
    stage: 'final',
    sizes: { batch: tokens.length, positions: 1, keys: 1 },
    residual: floatValue(residual, [tokens.length, 1, dModel]),
    edits: new Map(),
    seeds: new Map<StageHook, Value>([['unembed.hook_out', floatValue(seed, [tokens.length, 1, dVocab])]]),
    targets: [],
    direct: true,
  });
  const gradient = new Float32Array(tokens.length * positions * dModel);
  const found = floatsOf(results[names.residualGradient]!);
  for (let row = 0; row < tokens.length; row++) {
    const own = found.subarray(row * dModel, (row + 1) * dModel);
    gradient.set(own, ((row + 1) * positions - 1) * dModel);
  }
  return floatValue(gradient, [tokens.length, positions, dModel]);
}

/** By layer: how its targets among `targets` read, `[target, position, d_in]`, zero elsewhere. */
async function encoderRows(
  { frozen, set }: TracedModel,
  targets: readonly ActiveFeature[],
): Promise<ReadonlyMap<number, FloatValue>> {
  const found = new Map<number, FloatValue>();
  for (const layer of new Set(targets.map((target) => target.layer))) {
    const { sae } = set.byLayer[layer]!;
    const { dIn, hookName } = sae.config;
    const own = [...targets.keys()].filter((row) => targets[row]!.layer === layer);
    const pairs = own.map((row) => ({ row: targets[row]!.position, feature: targets[row]!.index }));
    const readings = await sae.readings(frozen.hooks.get(hookName)!, pairs);
    const all = new Float32Array(targets.length * frozen.positions * dIn);
    own.forEach((row, i) => {
      const reading = readings.data.subarray(i * dIn, (i + 1) * dIn);
      all.set(reading, (row * frozen.positions + targets[row]!.position) * dIn);
    });
    found.set(layer, floatValue(all, [targets.length, frozen.positions, dIn]));
  }
  return found;
}
