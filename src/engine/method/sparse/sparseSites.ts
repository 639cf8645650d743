/**
 * The places that sparse feature circuits run through (Marks et al. 2024, §3): the embeddings, and of every layer what
 * attention writes, what the MLP writes, and the stream behind both.
 */
import type { HookName, SaeId } from '../../../shared/domain.ts';
import { EngineError } from '../../../shared/errors.ts';
import type { ModelConfig } from '../../model/config.ts';
import { type BlockHook, blockHookName } from '../../model/hooks.ts';
import type { CircuitSae } from '../circuitInputs.ts';
import { coordinates, type Dictionary, saeDictionary, wholeValue } from './dictionary.ts';

export type SiteKind = 'embedding' | 'attention' | 'mlp' | 'residual';

export interface SparseSite {
  /** `embedding` is the stream that enters the first block. */
  readonly kind: SiteKind;
  readonly hook: HookName;
  /** The block of the hook, and the hook's name in it. */
  readonly layer: number;
  readonly place: BlockHook;
  readonly dictionary: Dictionary;
  /** The SAE whose features are nodes here. */
  readonly sae?: SaeId;
}

type Shape = Pick<ModelConfig, 'nLayers' | 'dModel'>;

/**
 * All sites in the order of the forward pass, with features where there is an SAE; the others are an error each.
 * @throws request.invalid when two SAEs lie on one stream.
 */
export function featureSites(shape: Shape, saes: readonly CircuitSae[]): readonly SparseSite[] {
  const byPlace = new Map<string, CircuitSae>();
  for (const sae of saes) {
    const hook = streamHook(sae);
    if (byPlace.has(hook)) {
      const reason = 'it lies on the same stream as another one; choose one of them';
      throw new EngineError('request.invalid', { what: `The SAE at ${sae.hook}`, reason });
    }
    byPlace.set(hook, sae);
  }
  return allSites(shape, (hook) => {
    const found = byPlace.get(hook);
    return found
      ? { dictionary: saeDictionary(found.sae), sae: found.id }
      : { dictionary: wholeValue(shape.dModel) };
  });
}

/** The same sites with single coordinates as nodes at `hooks`, or at all of them when none is named. */
export function neuronSites(shape: Shape, hooks: readonly HookName[]): readonly SparseSite[] {
  const [open, closed] = [coordinates(shape.dModel), wholeValue(shape.dModel)];
  return allSites(shape, (hook) => ({
    dictionary: hooks.length === 0 || hooks.includes(hook) ? open : closed,
  }));
}

function allSites(
  { nLayers }: Shape,
  partsAt: (hook: HookName) => Pick<SparseSite, 'dictionary' | 'sae'>,
): readonly SparseSite[] {
  const site = (kind: SiteKind, layer: number, place: BlockHook): SparseSite => {
    const hook = blockHookName(layer, place);
    return { kind, hook, layer, place, ...partsAt(hook) };
  };
  const layers = Array.from({ length: nLayers }, (_, layer) => layer);
  return [
    site('embedding', 0, 'hook_resid_pre'),
    ...layers.flatMap((layer) => [
      site('attention', layer, 'hook_attn_out'),
      site('mlp', layer, 'hook_mlp_out'),
      site('residual', layer, 'hook_resid_post'),
    ]),
  ];
}

/** What enters a block is what left the one before. */
export function streamHook({ hook, layer }: Pick<CircuitSae, 'hook' | 'layer'>): HookName {
  const isBetween = layer > 0 && hook.endsWith('.hook_resid_pre');
  return isBetween ? blockHookName(layer - 1, 'hook_resid_post') : hook;
}

/**
 * The layer that tests of circuits begin at when nothing else is said: a third up, as in Marks et al. (2024), who leave 2 of
 * 6 layers and 8 of 26 alone.
 */
export function usualStartLayer({ nLayers }: Pick<ModelConfig, 'nLayers'>): number {
  return Math.floor(nLayers / 3);
}

/**
 * Whether a site lies below where tests begin, and is never ablated: the embeddings always, as everything goes through them,
 * and layers below `startLayer`, whose nodes belong to tokens rather than to tasks.
 */
export function isFree({ kind, layer }: SparseSite, startLayer: number): boolean {
  return kind === 'embedding' || layer < startLayer;
}

/** Nodes at one place of a site: its features, and behind them the error where there is one. */
export function unitsOf({ dictionary }: SparseSite): number {
  return dictionary.width + (dictionary.hasError ? 1 : 0);
}

/** Floats that the activations of one site may take in a run. */
const codeFloats = 16 * 2 ** 20;

/** Tokens of a batch, at most: wide dictionaries run in smaller ones. */
export function mostRows(sites: readonly SparseSite[]): number {
  return Math.floor(codeFloats / Math.max(1, ...sites.map(({ dictionary }) => dictionary.width)));
}
