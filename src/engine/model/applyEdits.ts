/** Turns the interventions people make (`Edit`) into edits of a run. */

import type { Edit, EditAction, FeatureRef, HookName } from '../../shared/domain.ts';
import { EngineError } from '../../shared/errors.ts';
import { type FloatValue, floatsOf, floatValue, type Value } from '../graph/value.ts';
import type { ModelConfig } from './config.ts';
import { addEdit, type RunEdit, replaceEdit, type Selection, scaleEdit } from './edits.ts';
import { blockHookName, hookAxes, hookDims, isPerPosition, type StageHook } from './hooks.ts';
import { locateModelHook } from './modelHooks.ts';

/** A change of one feature: its activation f becomes `f · factor + offset`. */
interface FeatureChange {
  readonly feature: number;
  readonly factor: number;
  readonly offset: number;
}

/** What an edit of a feature needs of an SAE. Rows are positions, batch row after batch row. */
interface FeatureCoder {
  /** Activations `[row, feature]` of chosen features, in the SAE's own units. */
  chosen(value: Value, features: readonly number[]): Promise<Value>;
  /** What to add to the value that is written so that features change while the SAE's error stays: `[row, d_out]`. */
  change(value: Value, changes: readonly FeatureChange[]): Promise<Value>;
  /** True when what a unit of a feature writes depends on the row's own scale. */
  readonly normalizes: boolean;
  /** True when the first position shows no features, and none are written there. */
  readonly masksFirst?: boolean;
  /** What one unit of each feature adds to the hook's value, unless the SAE normalises: `[feature, d_in]`. */
  decoderRows(features: readonly number[]): Promise<Value>;
}

export interface FeatureSource {
  /** Where the SAE reads, and writes unless `writes` says otherwise. */
  readonly hook: HookName;
  /** Where a transcoder writes: a later hook of the same block. */
  readonly writes?: HookName;
  readonly sae: FeatureCoder;
}

/** Where reference values come from. All runs behind it are clean: no intervention changes them. */
export interface EditContext {
  readonly config: ModelConfig;
  /** Number of tokens of the prompt. */
  readonly positions: number;
  /** Positions before the text, in the prompt and in every other text: 1 with a beginning-of-sequence token, else 0. */
  readonly before: number;
  /** A hook's value `[1, position, …]` in the clean run of the prompt itself, or of another text. */
  reference(hook: HookName, text?: string): Promise<Value>;
  /** @throws handle.unknown when the SAE is not loaded. */
  featureSource(feature: FeatureRef): Promise<FeatureSource>;
}

/**
 * Edits of a run in the order of the stack; disabled ones are left out. Values that replace (mean, patch) come from
 * clean runs. A patch from a text of another length is aligned at the end: the last token takes the last token's
 * value, and positions without a counterpart keep their own. A beginning-of-sequence token is no counterpart of text;
 * means are over the text, because activations on that token are of another size.
 *
 * @throws request.invalid when an edit does not fit the model or the prompt.
 */
export async function planEdits(context: EditContext, edits: readonly Edit[]): Promise<RunEdit[]> {
  const planned: RunEdit[] = [];
  const enabled = edits.filter((edit) => edit.enabled);
  for (const [i, edit] of enabled.entries()) {
    const run = await planEdit(context, edit);
    if ('reads' in run && run.reads) refuseSecond(edit, enabled.slice(0, i));
    planned.push(run);
  }
  return planned;
}

/** What a transcoder reads is not changed by what it writes, so a second change would not see the first. */
function refuseSecond({ target }: Edit, before: readonly Edit[]): void {
  const isSame = (edit: Edit) =>
    target.kind === 'feature' &&
    edit.target.kind === 'feature' &&
    edit.target.feature.sae === target.feature.sae &&
    edit.target.feature.index === target.feature.index;
  if (!before.some(isSame)) return;
  throw invalid('A second intervention on the same feature of a transcoder', 'keep one of them');
}

async function planEdit(context: EditContext, edit: Edit): Promise<RunEdit> {
  requireFinite(edit);
  const { target } = edit;
  if (target.kind === 'feature') return planFeature(context, edit, target.feature);
  const { nLayers } = context.config;
  switch (target.kind) {
    case 'head':
      return planHook(
        context,
        edit,
        blockHookName(checkLayer(target.layer, nLayers), 'attn.hook_z'),
        target.head,
      );
    case 'mlp':
      return planHook(context, edit, blockHookName(checkLayer(target.layer, nLayers), 'hook_mlp_out'));
    case 'hook':
      return planHook(context, edit, target.hook, target.head);
  }
}

/** One NaN would spread over everything after it. */
function requireFinite({ action, strength }: Edit): void {
  const numbers = Object.entries({ ...action, strength });
  const wrong = numbers.find(([, value]) => typeof value === 'number' && !Number.isFinite(value));
  if (wrong) throw invalid(`The ${wrong[0]} ${wrong[1]} of an intervention`, 'it must be a finite number');
}

async function planHook(
  context: EditContext,
  { action, strength, positions }: Edit,
  hook: HookName,
  head?: number,
): Promise<RunEdit> {
  const place = locateModelHook(context.config, hook).hook;
  const run = { batch: 1, positions: context.positions, keys: context.positions };
  const dims = hookDims(place, context.config, run);
  const selection: Selection = {
    positions: insidePrompt(positions, context.positions),
    heads: head === undefined ? undefined : [head],
  };
  switch (action.kind) {
    case 'zero':
      return replaceEdit(hook, place, dims, selection, 0, strength);
    case 'scale':
      return scaleEdit(hook, place, dims, selection, 1 + strength * (action.factor - 1));
    case 'mean': {
      requirePerPosition(place, hook, 'averaged over positions');
      const mean = meanOverPositions(await context.reference(hook), context.before);
      return replaceEdit(hook, place, dims, selection, mean, strength);
    }
    case 'patch': {
      const source = await context.reference(hook, action.text);
      const { value, available } = alignAtEnd(place, hook, source, dims, context.before);
      const chosen = (selection.positions ?? available).filter((position) => available.includes(position));
      return replaceEdit(hook, place, dims, { ...selection, positions: chosen }, value, strength);
    }
    default:
      throw invalid(`"${action.kind}" at ${hook}`, 'only features can be steered or set; choose a feature');
  }
}

/** `Δf · W_dec` is added to the hook's value; what the SAE does not reconstruct stays as it is (Templeton et al. 2024). */
async function planFeature(context: EditContext, edit: Edit, feature: FeatureRef): Promise<RunEdit> {
  const { hook: reads, writes: hook = reads, sae } = await context.featureSource(feature);
  const { index } = feature;
  const { action, strength } = edit;
  const place = locateModelHook(context.config, hook).hook;
  requirePerPosition(place, hook, 'edited by features');
  const selection = { positions: insidePrompt(edit.positions, context.positions) };
  if (action.kind === 'add' && !sae.normalizes && !sae.masksFirst) {
    const row = floatsOf(await sae.decoderRows([index])).map((x) => x * strength * action.amount);
    // The row is the same everywhere, but an SAE may read the heads side by side: the hook's own dimensions say.
    const run = { batch: 1, positions: context.positions, keys: context.positions };
    const dims = hookDims(place, context.config, run);
    return addEdit(hook, place, dims, selection, floatValue(row, [1, 1, ...dims.slice(2)]));
  }
  const late = (change: (read: Value) => Promise<Value>): RunEdit => ({
    hook,
    ...(reads !== hook && { reads }),
    resolve: async (value, read = value) => {
      const delta = floatValue(floatsOf(await change(read)), value.dims);
      return addEdit(hook, place, value.dims, selection, delta);
    },
  });
  if (action.kind === 'patch') {
    const other = floatsOf(await sae.chosen(await context.reference(reads, action.text), [index]));
    return late((read) => patchFeature(context, sae, read, index, other, strength));
  }
  const change = { feature: index, ...(await featureChange(context, reads, sae, index, action, strength)) };
  return late((read) => sae.change(read, [change]));
}

/** What becomes of a feature's activation, the same at every position. */
async function featureChange(
  context: EditContext,
  hook: HookName,
  sae: FeatureCoder,
  index: number,
  action: Exclude<EditAction, { kind: 'patch' }>,
  strength: number,
): Promise<{ factor: number; offset: number }> {
  switch (action.kind) {
    case 'zero':
      return { factor: 1 - strength, offset: 0 };
    case 'scale':
      return { factor: 1 + strength * (action.factor - 1), offset: 0 };
    case 'add':
      return { factor: 1, offset: strength * action.amount };
    case 'set':
      return { factor: 0, offset: strength * action.value };
    case 'mean': {
      const clean = floatsOf(await sae.chosen(await context.reference(hook), [index])).subarray(
        context.before,
      );
      const mean = clean.reduce((sum, f) => sum + f, 0) / clean.length;
      return { factor: 1 - strength, offset: strength * mean };
    }
  }
}

/** The change that moves a feature towards the activations `other` of another prompt, aligned at the end. */
async function patchFeature(
  { positions, before }: EditContext,
  sae: FeatureCoder,
  value: Value,
  index: number,
  other: Float32Array,
  strength: number,
): Promise<Value> {
  const now = floatsOf(await sae.chosen(value, [index]));
  // What one unit more does, row by row: an SAE that normalises its input writes with each row's own scale.
  const unit = await sae.change(value, [{ feature: index, factor: 1, offset: 1 }]);
  const width = unit.data.length / now.length;
  const shift = other.length - positions;
  const delta = floatsOf(unit).map((x, i) => {
    const row = Math.floor(i / width);
    const [position, source] = [row % positions, (row % positions) + shift];
    const target = Math.min(position, source) < before ? undefined : other[source];
    return target === undefined ? 0 : x * strength * (target - now[row]!);
  });
  return floatValue(delta);
}

/** `[1, 1, …]`: the mean of `[1, position, …]` over its positions, without the first `before`. */
function meanOverPositions(value: Value, before: number): FloatValue {
  const [, all = 0, ...rest] = value.dims;
  const positions = all - before;
  const width = floatsOf(value).length / all;
  const data = floatsOf(value).subarray(before * width);
  const mean = new Float64Array(width);
  data.forEach((x, i) => {
    mean[i % width]! += x / positions;
  });
  return floatValue(Float32Array.from(mean), [1, 1, ...rest]);
}

/** A source's value moved so that its last position comes to lie on the prompt's last, and the positions it reaches. */
function alignAtEnd(
  place: StageHook,
  hook: HookName,
  source: Value,
  dims: readonly number[],
  before: number,
): { value: Value; available: number[] } {
  const axis = hookAxes(place).indexOf('position');
  const [positions, given] = [dims[axis]!, source.dims[axis]!];
  if (positions === given)
    return { value: source, available: Array.from({ length: positions }, (_, i) => i) };
  requirePerPosition(place, hook, 'patched from a prompt of another length');
  const width = floatsOf(source).length / given;
  const shift = given - positions;
  const first = before + Math.max(0, -shift);
  const value = new Float32Array(positions * width);
  value.set(floatsOf(source).subarray((first + shift) * width), first * width);
  const available = Array.from({ length: positions - first }, (_, i) => first + i);
  return { value: floatValue(value, dims), available };
}

/** Chosen positions that the prompt still has: an edit outlives the typing that shortens the prompt. */
function insidePrompt(positions: readonly number[] | undefined, length: number): number[] | undefined {
  return positions?.filter((position) => position < length);
}

function requirePerPosition(place: StageHook, hook: HookName, what: string): void {
  if (!isPerPosition(place))
    throw invalid(`The hook "${hook}"`, `it has no row per position and cannot be ${what}`);
}

function checkLayer(layer: number, nLayers: number): number {
  if (Number.isInteger(layer) && layer >= 0 && layer < nLayers) return layer;
  throw invalid(`Layer ${layer}`, `the model has layers 0 to ${nLayers - 1}`);
}

function invalid(what: string, reason: string): EngineError {
  return new EngineError('request.invalid', { what, reason });
}
