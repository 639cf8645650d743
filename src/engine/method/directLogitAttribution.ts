/**
 * Direct logit attribution beyond components: what the features of an SAE add to a contrast, and the logit lens of every single
 * component (nostalgebraist 2020, applied to writes). Both read a write through the final norm with its scale held at the run's value,
 * and count logits before any soft cap.
 */
import type { ComponentLens, FeatureAttribution } from '../../shared/attributionApi.ts';
import { EngineError, throwIfCancelled } from '../../shared/errors.ts';
import { formatHead } from '../../shared/format.ts';
import { floatsOf, floatValue } from '../graph/value.ts';
import { locateHook, writesStream } from '../model/hooks.ts';
import { pickPositions } from '../model/kvCache.ts';
import type { Readout } from '../model/readout.ts';
import type { Transformer } from '../model/transformer.ts';
import type { CircuitSae } from './circuitInputs.ts';
import { sourceAt } from './componentGraph.ts';
import { recordWrites } from './componentWrites.ts';
import { type AttributedRun, type LogitSum, readingDirection } from './residualAttribution.ts';

/**
 * Attributes a contrast to the features at a hook that writes to the stream (or is the stream): `f · s · (W_dec[i] · w)`, with w
 * the direction that the contrast reads along and s the scale that a normalising SAE puts back.
 * @throws request.invalid for SAEs elsewhere.
 */
export async function attributeFeatures(
  model: Transformer,
  run: AttributedRun,
  { sae, hook }: Pick<CircuitSae, 'sae' | 'hook'>,
  sum: LogitSum,
): Promise<Omit<FeatureAttribution, 'position' | 'what'>> {
  const { nLayers, dModel } = model.config;
  if (!writesStream(locateHook(hook, nLayers).hook)) {
    const reason = 'its output is no part of the residual stream that the logits read';
    throw new EngineError('request.invalid', { what: `The SAE at ${hook}`, reason });
  }
  const { direction } = await readingDirection(model, run.residuals[nLayers]!, sum);
  const { hooks } = await model.run({ tokens: [run.ids], capture: [hook], edits: run.edits, logits: 'none' });
  const value = pickPositions(hooks.get(hook)!, [sum.position]);
  const activations = floatsOf(await sae.activations(value));
  const [scale = 1] = await sae.writeScales(value);
  const active = Array.from(activations.keys()).filter((i) => activations[i] !== 0);
  const rows = active.length > 0 ? floatsOf(await sae.decoderRows(active)) : new Float32Array();
  const features = active.map((index, row) => {
    const activation = activations[index]!;
    const unit = dot(rows.subarray(row * dModel, (row + 1) * dModel), direction);
    return { index, activation, value: activation * scale * unit };
  });
  const total = dot(floatsOf(value), direction);
  const rebuilt = dot(floatsOf(await sae.reconstruct(value)), direction);
  const explained = features.reduce((all, part) => all + part.value, 0);
  return {
    features: features.sort((a, b) => Math.abs(b.value) - Math.abs(a.value)),
    bias: rebuilt - explained,
    error: total - rebuilt,
    total,
  };
}

/** The logit lens of the embeddings, every head and every MLP at one position of a prompt. */
export async function componentLens(
  {
    model,
    readout,
    tokenizer,
  }: {
    readonly model: Transformer;
    readonly readout: Readout;
    readonly tokenizer: { tokenText(id: number): string };
  },
  ids: Int32Array,
  { position, top }: { readonly position: number; readonly top: number },
  signal?: AbortSignal,
): Promise<ComponentLens[]> {
  const directions = await readWrites(model, ids, position, signal);
  const lenses: ComponentLens[] = [];
  for (const [index, direction] of directions.entries()) {
    throwIfCancelled(signal);
    const logits = await readout.directionLogits(direction, top, tokenizer);
    const source = sourceAt(model.config, index);
    if (source.kind === 'input') lenses.push({ component: 'embeddings', layer: -1, ...logits });
    else if (source.kind === 'mlp') {
      lenses.push({ component: `MLP ${source.layer}`, layer: source.layer, ...logits });
    } else {
      const { layer, head } = source;
      lenses.push({ component: `head ${formatHead(layer, head)}`, layer, head, ...logits });
    }
  }
  return lenses;
}

/** `[source]`: what each component's write is at the unembedding's input, `[d_model]`, with the final norm's scale held. */
async function readWrites(
  model: Transformer,
  ids: Int32Array,
  position: number,
  signal?: AbortSignal,
): Promise<readonly Float32Array[]> {
  const { nLayers, dModel } = model.config;
  const { writes, residuals } = await recordWrites(model, { tokens: [ids] }, signal);
  const final = pickPositions(residuals[nLayers]!, [position]);
  const scaleHook = 'ln_final.hook_scale';
  const measured = await model.run({
    from: { layer: nLayers, residual: final },
    capture: [scaleHook],
    logits: 'none',
  });
  const sources = writes.length / (ids.length * dModel);
  // One row more, of nothing: what comes of it is the norm's bias.
  const rows = new Float32Array((sources + 1) * dModel);
  for (let i = 0; i < sources; i++) {
    const at = (i * ids.length + position) * dModel;
    rows.set(writes.subarray(at, at + dModel), i * dModel);
  }
  const scale = floatsOf(measured.hooks.get(scaleHook)!)[0]!;
  const { hooks } = await model.run({
    from: { layer: nLayers, residual: floatValue(rows, [sources + 1, 1, dModel]) },
    edits: [{ hook: scaleHook, keep: 0, add: scale }],
    capture: ['unembed.hook_in'],
    logits: 'none',
    signal,
  });
  const read = floatsOf(hooks.get('unembed.hook_in')!);
  const bias = read.subarray(sources * dModel);
  return Array.from({ length: sources }, (_, i) =>
    read.slice(i * dModel, (i + 1) * dModel).map((x, d) => x - bias[d]!),
  );
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
