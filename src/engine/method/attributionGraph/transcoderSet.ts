/** The transcoders of an attribution graph: one for each layer that has one, checked to fit each other and the method. */
import type { FeatureRef, SaeId } from '../../../shared/domain.ts';
import { EngineError } from '../../../shared/errors.ts';
import { type BlockHook, compareHooks, locateHook } from '../../model/hooks.ts';
import { kindOf, outputHooks } from '../../sae/format.ts';
import type { SparseAutoencoder } from '../../sae/sparseAutoencoder.ts';
import type { FrozenLayer } from './frozenRun.ts';

/** A transcoder in the place of the MLP of its layer, and for a cross-layer one of all later ones. */
export interface PlacedTranscoder {
  readonly id: SaeId;
  readonly sae: SparseAutoencoder;
  /** The layer whose MLP it stands for, the first that it writes to. */
  readonly layer: number;
  /** Layers that it writes to, and where a row of its output starts for each. */
  readonly writes: readonly { readonly layer: number; readonly offset: number }[];
  readonly hasSkip: boolean;
}

export interface TranscoderSet {
  /** `[layer]`; layers without one have an error node for their MLP's whole output. */
  readonly byLayer: readonly (PlacedTranscoder | undefined)[];
  /** `[layer]`. */
  readonly layers: readonly FrozenLayer[];
  labelOf(feature: FeatureRef): { readonly label?: string; readonly labelSource?: string };
}

const writable: readonly BlockHook[] = ['hook_mlp_out', 'mlp.hook_out'];

/**
 * Places transcoders in a model of `nLayers`.
 * @throws request.invalid for none, for SAEs that are no transcoders, for two of one layer, and for hooks or input
 * treatments that linear attribution cannot pass.
 */
export function placeTranscoders(
  found: readonly { readonly id: SaeId; readonly sae: SparseAutoencoder }[],
  nLayers: number,
  labelOf: TranscoderSet['labelOf'],
): TranscoderSet {
  if (found.length === 0) throw refused('An attribution graph', 'it needs transcoders; choose a set of them');
  const byLayer: (PlacedTranscoder | undefined)[] = Array.from({ length: nLayers });
  const layers: FrozenLayer[] = Array.from({ length: nLayers }, () => ({ write: 'hook_mlp_out' }));
  for (const { id, sae } of found) {
    const { placed, frozen } = place(id, sae, nLayers);
    if (byLayer[placed.layer]) {
      throw refused(`A second transcoder of layer ${placed.layer}`, 'a graph takes one for each layer');
    }
    byLayer[placed.layer] = placed;
    layers[placed.layer] = frozen;
  }
  for (const placed of byLayer) {
    for (const { layer } of placed?.writes ?? []) {
      const [own, other] = [layers[placed!.layer]!.write, layers[layer]!.write];
      if (own !== other) throw refused('This set of transcoders', `they write to ${own} and to ${other}`);
    }
  }
  return { byLayer, layers, labelOf };
}

function place(
  id: SaeId,
  sae: SparseAutoencoder,
  nLayers: number,
): { placed: PlacedTranscoder; frozen: FrozenLayer } {
  const { config, folder } = sae;
  const what = `The transcoder at ${config.hookName}`;
  if (kindOf(config) === 'sae') {
    throw refused(
      `The SAE at ${config.hookName}`,
      'attribution graphs take transcoders, which stand for an MLP',
    );
  }
  if (sae.normalizes) throw refused(what, 'it normalises its input for every token, which is not linear');
  const read = locateHook(config.hookName, nLayers);
  const writes = outputHooks(config).map((hook) => locateHook(hook, nLayers));
  const [own] = writes;
  const isFit =
    own !== undefined &&
    read.layer === own.layer &&
    compareHooks(read.hook, 'mlp.hook_pre') < 0 &&
    writes.every(({ hook }) => hook === own.hook && writable.includes(hook as BlockHook));
  if (!isFit) {
    const written = outputHooks(config).join(', ');
    throw refused(what, `it should read its layer's MLP's input and write its output, not ${written}`);
  }
  const width = config.target!.width;
  return {
    placed: {
      id,
      sae,
      layer: own.layer,
      writes: writes.map(({ layer }, i) => ({ layer, offset: i * width })),
      hasSkip: folder.tensors.has('W_skip'),
    },
    frozen: { read: { hook: read.hook as BlockHook, width: config.dIn }, write: own.hook as BlockHook },
  };
}

function refused(what: string, reason: string): EngineError {
  return new EngineError('request.invalid', { what, reason });
}
