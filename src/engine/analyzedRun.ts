/** A run that was shown to somebody, kept so that bulky things can be asked of it later. */

import type { HookName, TokenStrip } from '../shared/domain.ts';
import type { Value } from './graph/value.ts';
import type { LoadedModel } from './loadedModel.ts';
import { isLateEdit, type RunEdit } from './model/edits.ts';
import { locateHook } from './model/hooks.ts';
import type { SparseAutoencoder } from './sae/sparseAutoencoder.ts';

/** One run of one prompt, with its interventions. */
export class AnalyzedRun {
  constructor(
    readonly id: string,
    readonly model: LoadedModel,
    readonly ids: Int32Array,
    readonly strip: TokenStrip,
    /** What entered block `layer`, or left the last one for n_layers: `[1, position, d_model]`. */
    readonly residual: (layer: number) => Value,
    readonly edits: readonly RunEdit[],
    /** Those that the edits compute with. */
    readonly saes: readonly SparseAutoencoder[] = [],
  ) {}

  /** All residual streams, n_layers + 1 of them. */
  get residuals(): readonly Value[] {
    return Array.from({ length: this.model.info.nLayers + 1 }, (_, layer) => this.residual(layer));
  }

  /** Bytes that keeping this run keeps in memory, about: runs of one prompt share what they have in common. */
  get bytes(): number {
    const { nLayers, dModel } = this.model.info;
    let bytes = (nLayers + 1) * this.ids.length * dModel * Float32Array.BYTES_PER_ELEMENT;
    for (const edit of this.edits) {
      if (isLateEdit(edit)) continue;
      for (const value of [edit.keep, edit.add])
        if (typeof value !== 'number') bytes += value.data.byteLength;
    }
    return bytes;
  }

  /** The value of a hook in this run, recomputed from the residual stream that entered its block. */
  async hook(name: HookName, signal?: AbortSignal): Promise<Value> {
    const { transformer, info } = this.model;
    const { layer } = locateHook(name, info.nLayers);
    const common = { capture: [name], edits: this.edits, logits: 'none' as const, signal };
    const result =
      layer < 0
        ? await transformer.run({ ...common, tokens: [this.ids], stopAtLayer: 0 })
        : await transformer.run({
            ...common,
            from: { layer, residual: this.residual(layer) },
            stopAtLayer: layer + 1,
          });
    return result.hooks.get(name)!;
  }
}
