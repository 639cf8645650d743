/** The weights of SAEs that are made of torch's linear layers. */
import type { SaeTensor, SaeTensorName } from '../format.ts';
import { type TensorSource, tensorOf } from '../openedSae.ts';

/** Weights of torch's linear layers: `encoder.weight [d_sae, d_in]`, `decoder.weight [d_out, d_sae]`, and biases. */
export function linearTensors(
  file: TensorSource,
  [encoder, decoder] = ['encoder', 'decoder'],
): Map<SaeTensorName, SaeTensor> {
  return new Map<SaeTensorName, SaeTensor>([
    ['W_enc', tensorOf(file, `${encoder}.weight`, { transposed: true })],
    ['b_enc', tensorOf(file, `${encoder}.bias`)],
    ['W_dec', tensorOf(file, `${decoder}.weight`, { transposed: true })],
    ['b_dec', tensorOf(file, `${decoder}.bias`)],
  ]);
}
