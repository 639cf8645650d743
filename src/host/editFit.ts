/** Whether an intervention can act in the model that is open, and where it acts when the tokens are others. */

import type { Edit, ModelInfo, SaeInfo, TokenStrip } from '../shared/domain.ts';
import { tokenBeforeCaret } from './tokenAt.ts';

/** Why an intervention cannot act. */
export type Misfit =
  | { readonly kind: 'layer'; readonly layer: number; readonly nLayers: number }
  | { readonly kind: 'head'; readonly head: number; readonly nHeads: number }
  | { readonly kind: 'hook'; readonly hook: string }
  | { readonly kind: 'sae' };

/** What interventions are held against. */
export interface OpenModel {
  readonly model: Pick<ModelInfo, 'nLayers' | 'nHeads' | 'blockHooks'>;
  readonly saes: readonly Pick<SaeInfo, 'id' | 'problem'>[];
}

/** Why `edit` cannot act in this model; nothing when it can. */
export function misfitOf({ target }: Edit, { model, saes }: OpenModel): Misfit | undefined {
  switch (target.kind) {
    case 'head':
      return layerMisfit(target.layer, model) ?? headMisfit(target.head, model);
    case 'mlp':
      return layerMisfit(target.layer, model);
    case 'feature': {
      const { sae } = target.feature;
      return saes.some(({ id, problem }) => id === sae && problem === undefined)
        ? undefined
        : { kind: 'sae' };
    }
    case 'hook':
      return hookMisfit(target.hook, target.head, model);
  }
}

function layerMisfit(layer: number, { nLayers }: OpenModel['model']): Misfit | undefined {
  return layer < nLayers ? undefined : { kind: 'layer', layer, nLayers };
}

function headMisfit(head: number | undefined, { nHeads }: OpenModel['model']): Misfit | undefined {
  return head === undefined || head < nHeads ? undefined : { kind: 'head', head, nHeads };
}

function hookMisfit(hook: string, head: number | undefined, model: OpenModel['model']): Misfit | undefined {
  const [, layer, site] = /^blocks\.(\d+)\.(.+)$/.exec(hook) ?? [];
  if (layer === undefined || site === undefined) return undefined;
  const { blockHooks } = model;
  if (blockHooks && !blockHooks.includes(site)) return { kind: 'hook', hook };
  return layerMisfit(Number(layer), model) ?? headMisfit(head, model);
}

/**
 * Positions in `to` that stand for the same text as `positions` do in `from`: the token that holds the last character.
 * Tokens without text, such as that of the beginning, are found by their being special. What is not there falls away.
 */
export function movePositions(
  positions: readonly number[],
  from: TokenStrip,
  to: TokenStrip,
): readonly number[] {
  const moved = positions.map((position) => {
    const token = from.tokens[position];
    if (!token) return -1;
    if (token.special) return to.tokens.findIndex(({ special }) => special === true);
    return tokenBeforeCaret(to, token.end);
  });
  return [...new Set(moved)].filter((position) => position >= 0).sort((one, other) => one - other);
}
