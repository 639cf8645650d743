/** Where SHIFT may ablate: the hooks of SAEs that the classifier's hook is computed from. */

import type { HookName, SaeId } from '../../../shared/domain.ts';
import { EngineError } from '../../../shared/errors.ts';
import type { ModelConfig } from '../../model/config.ts';
import { type BlockHook, blockHookName, hookDims, isPerPosition } from '../../model/hooks.ts';
import { locateModelHook, stageHooks } from '../../model/modelHooks.ts';
import type { SparseAutoencoder } from '../../sae/sparseAutoencoder.ts';
import { featureSite } from '../featureGrid.ts';

/** A hook of a block, as methods on blocks take it. */
export interface BlockPlace {
  readonly layer: number;
  readonly hook: BlockHook;
}

/** An SAE and its place. */
export interface ShiftSite extends BlockPlace {
  readonly id: SaeId;
  readonly sae: SparseAutoencoder;
  /** Numbers of one position, and the dimensions they have in the hook's value. */
  readonly width: number;
  readonly dims: readonly number[];
}

/** The stream after the middle layer. */
export function middleHook({ nLayers }: Pick<ModelConfig, 'nLayers'>): HookName {
  return blockHookName(Math.floor(nLayers / 2), 'hook_resid_post');
}

/** The hook that the classifier reads. @throws request.invalid for one outside the blocks, or without a row per position */
export function probePlace(config: ModelConfig, name: HookName): BlockPlace {
  const { stage, layer, hook } = locateModelHook(config, name);
  if (stage === 'block' && isPerPosition(hook)) return { layer, hook: hook as BlockHook };
  const reason =
    'the classifier reads a hook of a block with one row per position, such as blocks.1.hook_resid_post';
  throw new EngineError('request.invalid', { what: `The hook "${name}"`, reason });
}

/**
 * The places of SAEs, from the bottom up.
 * @throws request.invalid for transcoders, SAEs outside blocks or behind the classifier, two at one hook, or none.
 */
export function shiftSites(
  config: ModelConfig,
  saes: readonly { readonly id: SaeId; readonly sae: SparseAutoencoder }[],
  probe: BlockPlace,
): readonly ShiftSite[] {
  if (saes.length === 0) {
    throw new EngineError('request.invalid', {
      what: 'SHIFT',
      reason: 'it needs an SAE whose features it can take out',
    });
  }
  const sites = saes.map(({ id, sae }) => {
    const { layer, hook } = featureSite(config, sae);
    if (isBehind(config, { layer, hook }, probe)) {
      throw new EngineError('request.invalid', {
        what: `The SAE at ${sae.config.hookName}`,
        reason: `the classifier reads ${blockHookName(probe.layer, probe.hook)}, which comes before it`,
      });
    }
    const dims = hookDims(hook, config, { batch: 1, positions: 1, keys: 1 }).slice(2);
    return { id, sae, layer, hook, dims, width: dims.reduce((product, dim) => product * dim, 1) };
  });
  const names = sites.map(({ layer, hook }) => blockHookName(layer, hook));
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) {
    const reason = 'SHIFT takes one SAE for each hook; choose one of them';
    throw new EngineError('request.invalid', { what: `A second SAE at ${twice}`, reason });
  }
  return sites.sort((a, b) => (isBehind(config, a, b) ? 1 : -1));
}

/** Whether `a` is computed after `b`. */
export function isBehind(config: ModelConfig, a: BlockPlace, b: BlockPlace): boolean {
  if (a.layer !== b.layer) return a.layer > b.layer;
  const order = stageHooks(config, a.layer);
  return order.indexOf(a.hook) > order.indexOf(b.hook);
}
