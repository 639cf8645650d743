/** What all layers of a cross-layer transcoder write together: each layer's output is a sum over the layers up to it. */
import type { HookName } from '../../shared/domain.ts';
import { type FloatValue, floatValue, type Value } from '../graph/value.ts';
import { outputHooks } from './format.ts';
import type { SparseAutoencoder } from './sparseAutoencoder.ts';

/** One layer of the transcoder, and what its hook reads. */
export interface CrossLayerInput {
  readonly sae: SparseAutoencoder;
  /** `[…, d_in]`. */
  readonly value: Value;
}

/**
 * The reconstruction of every output hook, `[row, width]`: `Σ_{i ≤ j} f_i · W_dec,i→j + b_j` (Ameisen et al. 2025).
 * Layers that are left out write nothing.
 */
export async function crossLayerOutputs(
  layers: readonly CrossLayerInput[],
): Promise<ReadonlyMap<HookName, FloatValue>> {
  const sums = new Map<HookName, FloatValue>();
  for (const { sae, value } of layers) {
    const hooks = outputHooks(sae.config);
    const width = sae.dOut / hooks.length;
    const written = await sae.reconstruct(value);
    const rows = written.data.length / sae.dOut;
    hooks.forEach((hook, i) => {
      const sum = sums.get(hook) ?? floatValue(new Float32Array(rows * width), [rows, width]);
      for (let row = 0; row < rows; row++) {
        for (let column = 0; column < width; column++)
          sum.data[row * width + column]! += written.data[row * sae.dOut + i * width + column]!;
      }
      sums.set(hook, sum);
    });
  }
  return sums;
}
