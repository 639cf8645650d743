/**
 * A run of a prompt whose attention patterns and norm scales are held fixed, so that what is added to the residual
 * stream acts linearly on all that reads it later; MLPs pass nothing on by themselves.
 */
import type { HookName } from '../../../shared/domain.ts';
import { throwIfCancelled } from '../../../shared/errors.ts';
import { type FloatValue, floatsOf, floatValue, type Value } from '../../graph/value.ts';
import { names } from '../../model/families/family.ts';
import { type BlockHook, blockHookName, type StageHook } from '../../model/hooks.ts';
import { stageHooks } from '../../model/modelHooks.ts';
import type { Transformer } from '../../model/transformer.ts';

/** What of a block gradients take for constants. Cutting behind the activation cuts the whole MLP, and needs no value. */
const cut = 'mlp.hook_post';

export interface FrozenRun {
  readonly model: Transformer;
  readonly positions: number;
  /** `[1, position, d_model]` into each block and after the last. */
  readonly residuals: readonly Value[];
  /** Values of the hooks that were asked for, `[1, position, …]`. */
  readonly hooks: ReadonlyMap<HookName, Value>;
  /** By layer: patterns `[1, head, position, key]` and scales `[1, position, 1]`. */
  readonly constants: readonly ReadonlyMap<StageHook, Value | undefined>[];
  /** `[d_vocab]` behind the last position. */
  readonly logits: Float32Array;
}

/** Runs the prompt and keeps what is frozen, beside the values of `capture`. @throws cancelled */
export async function freezeRun(
  model: Transformer,
  ids: Int32Array,
  capture: readonly HookName[],
  signal?: AbortSignal,
): Promise<FrozenRun> {
  const layers = Array.from({ length: model.config.nLayers }, (_, layer) => layer);
  const frozen = layers.map((layer) =>
    stageHooks(model.config, layer).filter(
      (hook): hook is BlockHook => hook === 'attn.hook_pattern' || hook.endsWith('.hook_scale'),
    ),
  );
  const wanted = layers.flatMap((layer) => frozen[layer]!.map((hook) => blockHookName(layer, hook)));
  const run = await model.run({ tokens: [ids], capture: [...wanted, ...capture], logits: 'last', signal });
  return {
    model,
    positions: ids.length,
    residuals: run.residuals.map((value) => value!),
    hooks: new Map(capture.map((hook) => [hook, run.hooks.get(hook)!])),
    constants: layers.map(
      (layer) =>
        new Map<StageHook, Value | undefined>([
          ...frozen[layer]!.map((hook) => [hook, run.hooks.get(blockHookName(layer, hook))!] as const),
          [cut, undefined],
        ]),
    ),
    logits: floatsOf(run.logits!),
  };
}

/** The part of a transcoder's layer that gradients meet on their way down. */
export interface FrozenLayer {
  /** Where the layer's transcoder reads, inside the block. */
  readonly read?: { readonly hook: BlockHook; readonly width: number };
  /** Where the MLP's output, or what takes its place, enters: `hook_mlp_out` or the norm before it. */
  readonly write: BlockHook;
}

export interface PullRequest {
  readonly frozen: FrozenRun;
  /** By layer. */
  readonly layers: readonly FrozenLayer[];
  /** The uppermost layer that is passed. */
  readonly top: number;
  /** Gradient at the stream behind `top`, `[row, position, d_model]`. */
  readonly start: FloatValue;
  /**
   * Called for every layer from the top with the gradient at its `write` hook, `[row, position, width]`; undefined where
   * that is zero. Answers the gradient to add at its `read` hook, `[row, position, width]`.
   */
  readonly meet: (layer: number, gradient: FloatValue | undefined) => Promise<FloatValue | undefined>;
  readonly signal?: AbortSignal;
}

/** Pulls gradients back through the frozen blocks; what arrives at the embeddings, `[row, position, d_model]`. */
export async function pullBack(request: PullRequest): Promise<FloatValue> {
  let gradient = request.start;
  for (let layer = request.top; layer >= 0; layer--) {
    throwIfCancelled(request.signal);
    const isZero = layer === request.top && gradient.data.every((x) => x === 0);
    const written = isZero ? undefined : await atWrite(request, layer, gradient);
    const added = await request.meet(layer, written);
    gradient = await throughBlock(request, layer, gradient, added);
  }
  return gradient;
}

/** An MLP's output is added to the stream as it is, unless what is replaced lies before a norm. */
async function atWrite(request: PullRequest, layer: number, gradient: FloatValue): Promise<FloatValue> {
  const { write } = request.layers[layer]!;
  if (write === 'hook_mlp_out') return gradient;
  const results = await backward(request, layer, new Map([['hook_resid_post', gradient]]), [write]);
  return results[write] as FloatValue;
}

async function throughBlock(
  request: PullRequest,
  layer: number,
  gradient: FloatValue,
  added: FloatValue | undefined,
): Promise<FloatValue> {
  const { read } = request.layers[layer]!;
  const seeds = new Map<StageHook, Value>([['hook_resid_post', gradient]]);
  if (read) {
    const [rows = 0, positions = 0] = gradient.dims;
    // One program for all batches: a layer that nothing is read in adds zeros.
    const dims = [rows, positions, read.width];
    seeds.set(read.hook, added ?? floatValue(new Float32Array(rows * positions * read.width), dims));
  }
  const results = await backward(request, layer, seeds, []);
  return results[names.residualGradient] as FloatValue;
}

function backward(
  { frozen }: PullRequest,
  layer: number,
  seeds: ReadonlyMap<StageHook, Value>,
  targets: readonly StageHook[],
): Promise<Readonly<Record<string, Value>>> {
  const [seed] = seeds.values();
  const [batch = 0, positions = 0] = seed!.dims;
  return frozen.model.stages.backward({
    stage: layer,
    sizes: { batch, positions, keys: positions },
    residual: repeatRows(frozen.residuals[layer]!, batch),
    edits: new Map(),
    seeds,
    targets,
    constants: frozen.constants[layer]!,
  });
}

function repeatRows(value: Value, rows: number): FloatValue {
  const data = floatsOf(value);
  const repeated = new Float32Array(rows * data.length);
  for (let row = 0; row < rows; row++) repeated.set(data, row * data.length);
  return floatValue(repeated, [rows, ...value.dims.slice(1)]);
}
