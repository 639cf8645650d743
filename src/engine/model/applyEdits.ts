/** Turns the interventions people make (`Edit`) into edits of a run. */

import type { Edit, EditAction, FeatureRef, HookName } from '../../shared/domain.ts';
import { EngineError } from '../../shared/errors.ts';
import { type FloatValue, floatsOf, floatValue, type Value } from '../graph/value.ts';
import type { ModelConfig } from './config.ts';
import { addEdit, type RunEdit, replaceEdit, type Selection, scaleEdit } from './edits.ts';
import { blockHookName, hookAxes, hookDims, isPerPosition, locateHook, type StageHook } from './hooks.ts';

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
  /** What to add to the value so that features change while the SAE's error stays: `[row, d_in]`. */
  change(value: Value, changes: readonly FeatureChange[]): Promise<Value>;
  /** True when what a unit of a feature writes depends on the row's own scale. */
  readonly normalizes: boolean;
  /** What one unit of each feature adds to the hook's value, unless the SAE normalises: `[feature, d_in]`. */
  decoderRows(features: readonly number[]): Promise<Value>;
}

export interface FeatureSource {
  /** Where the SAE reads and writes. */
  readonly hook: HookName;
  readonly sae: FeatureCoder;
}

/** Where reference values come from. All runs behind it are clean: no intervention changes them. */
export interface EditContext {
  readonly config: ModelConfig;
  /** Number of tokens of the prompt. */
  readonly positions: number;
  /** A hook's value `[1, position, …]` in the clean run of the prompt itself, or of another text. */
  reference(hook: HookName, text?: string): Promise<Value>;
  /** @throws handle.unknown when the SAE is not loaded. */
  featureSource(feature: FeatureRef): Promise<FeatureSource>;
}

/**
 * Edits of a run in the order of the stack; disabled ones are left out. Values that replace (mean, patch) come from
 * clean runs. A patch from a text of another length is aligned at the end: the last token takes the last token's
 * value, and positions without a counterpart keep their own.
 *
 * @throws request.invalid when an edit does not fit the model or the prompt.
 */
export async function planEdits(context: EditContext, edits: readonly Edit[]): Promise<RunEdit[]> {
  const planned: RunEdit[] = [];
  for (const edit of edits) {
    if (edit.enabled) planned.push(await planEdit(context, edit));
  }
  return planned;
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
  const place = locateHook(hook, context.config.nLayers).hook;
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
      const mean = meanOverPositions(await context.reference(hook));
      return replaceEdit(hook, place, dims, selection, mean, strength);
    }
    case 'patch': {
      const source = await context.reference(hook, action.text);
      const { value, available } = alignAtEnd(place, hook, source, dims);
      const chosen = (selection.positions ?? available).filter((position) => available.includes(position));
      return replaceEdit(hook, place, dims, { ...selection, positions: chosen }, value, strength);
    }
    default:
      throw invalid(`"${action.kind}" at ${hook}`, 'only features can be steered or set; choose a feature');
  }
}

/** `Δf · W_dec` is added to the hook's value; what the SAE does not reconstruct stays as it is (Templeton et al. 2024). */
async function planFeature(context: EditContext, edit: Edit, feature: FeatureRef): Promise<RunEdit> {
  const { hook, sae } = await context.featureSource(feature);
  const { index } = feature;
  const { action, strength } = edit;
  const place = locateHook(hook, context.config.nLayers).hook;
  requirePerPosition(place, hook, 'edited by features');
  const selection = { positions: insidePrompt(edit.positions, context.positions) };
  const adding = (value: Value, delta: Value) =>
    addEdit(hook, place, value.dims, selection, floatValue(floatsOf(delta), value.dims));
  if (action.kind === 'add' && !sae.normalizes) {
    const row = floatsOf(await sae.decoderRows([index])).map((x) => x * strength * action.amount);
    // The row is the same everywhere, but an SAE may read the heads side by side: the hook's own dimensions say.
    const run = { batch: 1, positions: context.positions, keys: context.positions };
    const dims = hookDims(place, context.config, run);
    return addEdit(hook, place, dims, selection, floatValue(row, [1, 1, ...dims.slice(2)]));
  }
  if (action.kind === 'patch') {
    const other = floatsOf(await sae.chosen(await context.reference(hook, action.text), [index]));
    const patch = (value: Value) => patchFeature(context, sae, value, index, other, strength);
    return { hook, resolve: async (value) => adding(value, await patch(value)) };
  }
  const change = { feature: index, ...(await featureChange(context, hook, sae, index, action, strength)) };
  return { hook, resolve: async (value) => adding(value, await sae.change(value, [change])) };
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
      const clean = floatsOf(await sae.chosen(await context.reference(hook), [index]));
      const mean = clean.reduce((sum, f) => sum + f, 0) / clean.length;
      return { factor: 1 - strength, offset: strength * mean };
    }
  }
}

/** The change that moves a feature towards the activations `other` of another prompt, aligned at the end. */
async function patchFeature(
  { positions }: EditContext,
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
    const target = other[(row % positions) + shift];
    return target === undefined ? 0 : x * strength * (target - now[row]!);
  });
  return floatValue(delta, value.dims);
}

/** `[1, 1, …]`: the mean of `[1, position, …]` over its positions. */
function meanOverPositions(value: Value): FloatValue {
  const [, positions = 0, ...rest] = value.dims;
  const data = floatsOf(value);
  const width = data.length / positions;
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
): { value: Value; available: number[] } {
  const axis = hookAxes(place).indexOf('position');
  const [positions, given] = [dims[axis]!, source.dims[axis]!];
  if (positions === given)
    return { value: source, available: Array.from({ length: positions }, (_, i) => i) };
  requirePerPosition(place, hook, 'patched from a prompt of another length');
  const width = floatsOf(source).length / given;
  const shift = given - positions;
  const first = Math.max(0, -shift);
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
