/** Which tokens a feature speaks for: those that its decoder direction raises and lowers. */

import type { FeatureInfo, FeatureRef } from '../shared/domain.ts';
import type { LoadedModel } from './loadedModel.ts';
import type { LoadedSaes } from './loadedSaes.ts';
import { locateHook, writesStream } from './model/hooks.ts';
import { outputHooks } from './sae/format.ts';

/**
 * Tokens whose logits a feature's decoder direction raises and lowers most, read without the final norm. Nothing when
 * the SAE does not write to the residual stream.
 */
export async function decoderLogits(
  { info, readout, tokenizer }: LoadedModel,
  saes: LoadedSaes,
  { sae, index }: FeatureRef,
): Promise<Pick<FeatureInfo, 'topLogits' | 'bottomLogits'>> {
  const opened = await saes.open(sae, info);
  const hooks = outputHooks(opened.config);
  if (!hooks.every((hook) => writesStream(locateHook(hook, info.nLayers).hook))) return {};
  const written = (await opened.decoderRows([index])).data;
  // What a cross-layer transcoder writes in several layers adds up in the stream.
  return readout.directionLogits(sumOfParts(written, hooks.length), 10, tokenizer);
}

/** The sum of `parts` vectors that lie one behind the other. */
function sumOfParts(data: Float32Array, parts: number): Float32Array {
  const width = data.length / parts;
  const sum = new Float32Array(width);
  for (let i = 0; i < data.length; i++) sum[i % width]! += data[i]!;
  return sum;
}
