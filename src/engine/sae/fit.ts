/** Whether an SAE fits a model: its hooks exist there, with a row per position that has the SAE's width. */
import type { HookName, ModelInfo } from '../../shared/domain.ts';
import { EngineError, isEngineError } from '../../shared/errors.ts';
import { formatText } from '../../shared/format.ts';
import { elementCount } from '../graph/value.ts';
import { hookAxes, hookDims, isPerPosition, locateHook, type StageHook } from '../model/hooks.ts';
import type { SaeFolder } from './format.ts';

/** The layer of a hook such as `blocks.5.hook_resid_pre`; 0 for the embedding, undefined after the last block. */
export function hookLayer(hookName: string): number | undefined {
  const layer = /^blocks\.(\d{1,6})\./.exec(hookName)?.[1];
  if (layer !== undefined) return Number(layer);
  return /^hook_(pos_)?embed$/.test(hookName) ? 0 : undefined;
}

type ModelShape = Pick<ModelInfo, 'name' | 'nLayers' | 'nHeads' | 'dModel' | 'dHead' | 'dMlp' | 'dVocab'> &
  Partial<Pick<ModelInfo, 'nKeyValueHeads'>>;

/**
 * Checks that the SAE's hooks exist in the model, each with a row per position that has the SAE's width.
 * @throws sae.mismatch saying what differs.
 */
export function checkSaeFits(sae: Pick<SaeFolder, 'path' | 'config'>, model: ModelShape): void {
  const { hookName, hookHeadIndex, dIn, target } = sae.config;
  const fault =
    faultAt(hookName, dIn, model, { verb: 'reads', head: hookHeadIndex }) ??
    target?.hooks
      .map((hook) => faultAt(hook, target.width, model, { verb: 'writes' }))
      .find((found) => found);
  if (fault) throw new EngineError('sae.mismatch', { path: sae.path, reason: fault, model: model.name });
}

interface Use {
  readonly verb: 'reads' | 'writes';
  readonly head?: number;
}

/** What keeps the SAE from reading or writing `expected` numbers at the hook. */
function faultAt(
  hookName: HookName,
  expected: number,
  model: ModelShape,
  { verb, head }: Use,
): string | undefined {
  const name = formatText(hookName);
  const layer = hookLayer(hookName);
  if (layer !== undefined && layer >= model.nLayers) {
    return `it ${verb} layer ${layer}, and the model's layers are 0 to ${model.nLayers - 1}`;
  }
  const hook = stageHook(hookName, model.nLayers);
  if (!hook) return `Fovea has no hook ${name}`;
  if (!isPerPosition(hook)) return `it ${verb} ${name}, which has no row for each position`;
  const dims = hookDims(hook, model, { batch: 1, positions: 1, keys: 1 });
  const heads = ['head', 'keyValueHead'].includes(hookAxes(hook)[2] ?? '') ? dims[2]! : undefined;
  if (head !== undefined && heads === undefined) return `it ${verb} one head at ${name}, which has no heads`;
  if (head !== undefined && heads !== undefined && head >= heads) {
    return `it ${verb} head ${head}, and the model's heads are 0 to ${heads - 1}`;
  }
  const width = elementCount(dims.slice(head === undefined ? 2 : 3));
  if (width === expected) return undefined;
  return `it ${verb} ${expected} numbers at ${name}, where the model has ${width}`;
}

/** The hook's name inside its stage; undefined when the model has no such hook. */
function stageHook(hookName: string, nLayers: number): StageHook | undefined {
  try {
    return locateHook(hookName, nLayers).hook;
  } catch (error) {
    if (isEngineError(error, 'request.invalid')) return undefined;
    throw error;
  }
}
