/** What every head and MLP adds to the residual stream in a run. */
import { throwIfCancelled } from '../../shared/errors.ts';
import { type FloatValue, floatsOf, type Value } from '../graph/value.ts';
import { blockHookName } from '../model/hooks.ts';
import type { RunRequest, Transformer } from '../model/transformer.ts';
import { type GraphShape, graphSizes } from './componentGraph.ts';

export interface WrittenRun {
  /**
   * `[source, batch · position · d_model]`, sources as numbered in componentGraph.ts. A head's write is
   * `z W_O` without the bias; through the norm behind the attention, if there is one, with what that divides by in this run.
   */
  readonly writes: Float32Array;
  /** `[batch, position, d_model]` into each block and after the last. */
  readonly residuals: readonly Value[];
  /** `[batch, 1, d_vocab]` of the last position. */
  readonly logits: FloatValue;
}

/** Runs prompts of equal length from their tokens, or from the stream that enters the first block. */
export async function recordWrites(
  model: Transformer,
  start: Pick<RunRequest, 'tokens' | 'from'>,
  signal?: AbortSignal,
): Promise<WrittenRun> {
  const { nLayers, norm } = model.config;
  const layers = Array.from({ length: nLayers }, (_, layer) => layer);
  const heads = layers.map((layer) => blockHookName(layer, 'attn.hook_result'));
  const mlps = layers.map((layer) => blockHookName(layer, 'hook_mlp_out'));
  const isPlain = norm.place === 'before';
  const capture = isPlain ? [...heads, ...mlps] : mlps;
  const run = await model.run({ ...start, capture, logits: 'last', signal });
  const residuals = run.residuals.map((value) => value!);
  const perSource = floatsOf(residuals[0]!).length;
  const writes = new Float32Array(graphSizes(model.config).sources * perSource);
  writes.set(floatsOf(residuals[0]!));
  for (const layer of layers) {
    throwIfCancelled(signal);
    const result = isPlain ? run.hooks.get(heads[layer]!)! : await model.headWrites(layer, residuals[layer]!);
    const at = (1 + layer * (model.config.nHeads + 1)) * perSource;
    writes.set(headsFirst(floatsOf(result), model.config), at);
    writes.set(floatsOf(run.hooks.get(mlps[layer]!)!), at + model.config.nHeads * perSource);
  }
  return { writes, residuals, logits: run.logits as FloatValue };
}

/** `[rows, head, d_model]` as `[head, rows, d_model]`. */
function headsFirst(data: Float32Array, { nHeads, dModel }: GraphShape): Float32Array {
  const rows = data.length / (nHeads * dModel);
  const result = new Float32Array(data.length);
  for (let row = 0; row < rows; row++) {
    for (let head = 0; head < nHeads; head++) {
      const from = (row * nHeads + head) * dModel;
      result.set(data.subarray(from, from + dModel), (head * rows + row) * dModel);
    }
  }
  return result;
}
