/** Logit lens (nostalgebraist 2020): every layer's residual stream through the final norm and the unembedding. */

import type { LogitLens, Prediction } from '../../shared/analysis.ts';
import { throwIfCancelled } from '../../shared/errors.ts';
import { floatsOf, type Value } from '../graph/value.ts';
import type { LoadedModel } from '../loadedModel.ts';
import { predictionsOf } from '../predictions.ts';
import type { TunedLens } from '../sae/tunedLens.ts';

/**
 * Reads out `residuals[layer]` `[1, position, d_model]` for the embedding and after every block.
 * `cells[layer][position]` holds the `top` most probable next tokens. With a tuned lens, the streams go through its
 * translators first.
 */
export async function logitLens(
  model: LoadedModel,
  residuals: readonly Value[],
  top: number,
  signal?: AbortSignal,
  tuned?: TunedLens,
): Promise<LogitLens> {
  const layers: string[] = [];
  const cells: Prediction[][][] = [];
  for (const [layer, residual] of residuals.entries()) {
    throwIfCancelled(signal);
    const stream = floatsOf(residual);
    const rows = await model.readout.predict(tuned ? await tuned.translate(layer, stream) : stream, top);
    layers.push(layer === 0 ? 'embed' : String(layer - 1));
    cells.push(predictionsOf(rows, model.tokenizer));
  }
  return { layers, cells, ...(tuned && { tuned: { path: tuned.path, model: tuned.model } }) };
}
