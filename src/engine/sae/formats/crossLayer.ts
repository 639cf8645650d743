/**
 * What one layer of a cross-layer transcoder writes: to its own layer's output and to those of all later layers
 * (Ameisen et al. 2025). The bias and the skip connection act on the layer's own output alone.
 */
import { malformed } from '../../files/fileErrors.ts';
import type { SaeTarget, SaeTensor } from '../format.ts';
import { type TensorSource, tensorOf } from '../openedSae.ts';
import { blockHook } from './hookNames.ts';

export interface LayerOfMany {
  readonly layer: number;
  readonly nLayers: number;
  /** Numbers at each output. */
  readonly width: number;
  /** The hook that is written in each layer, without `blocks.N.`. */
  readonly outputHook?: string;
}

/** The outputs of a layer: its own, then those of the later ones. */
export function laterTarget({ layer, nLayers, width, outputHook = 'hook_mlp_out' }: LayerOfMany): SaeTarget {
  const hooks = Array.from({ length: nLayers - layer }, (_, i) => blockHook(layer + i, outputHook));
  return { kind: 'crossLayer', hooks, width };
}

/**
 * The decoder `[d_sae, layer, width]` of a file as `[d_sae, d_out]`, all outputs side by side. `firstStored` is the
 * layer of the first decoder in the file; those before `layer` are left out, which takes a copy.
 * @throws file.malformed when there is not one decoder for each layer.
 */
export function laterDecoder(
  file: TensorSource,
  name: string,
  firstStored: number,
  { layer, nLayers, width }: LayerOfMany,
): SaeTensor {
  const tensor = tensorOf(file, name);
  const [dSae = 0, stored = 0, inner = 0] = tensor.shape;
  const expected = [dSae, nLayers - firstStored, width];
  if (tensor.shape.join() !== expected.join())
    throw malformed(file.path, `the shape of ${name}`, `[${expected.join(', ')}]`, tensor.shape);
  const kept = nLayers - layer;
  const shape = [dSae, kept * width];
  if (stored === kept) return { ...tensor, shape };
  const { place: _, ...unplaced } = tensor;
  const load = async () => {
    const all = await tensor.load();
    const result = new Float32Array(dSae * kept * width);
    for (let feature = 0; feature < dSae; feature++) {
      const row = all.subarray((feature * stored + stored - kept) * inner, (feature + 1) * stored * inner);
      result.set(row, feature * kept * width);
    }
    return result;
  };
  return { ...unplaced, shape, load };
}

/** A vector `[width]` of the layer's own output, with zeros for the later ones. */
export function ownBias(file: TensorSource, name: string, { layer, nLayers, width }: LayerOfMany): SaeTensor {
  const { place, ...tensor } = tensorOf(file, name);
  if (tensor.shape.join() !== `${width}`)
    throw malformed(file.path, `the shape of ${name}`, `[${width}]`, tensor.shape);
  const count = (nLayers - layer) * width;
  if (count === width) return { ...tensor, place };
  const load = async () => {
    const result = new Float32Array(count);
    result.set(await tensor.load());
    return result;
  };
  return { ...tensor, shape: [count], load };
}

/** A skip connection `A [d_in, width]`, used as `x · A`, with zeros for the later outputs. */
export function ownSkip(file: TensorSource, name: string, { layer, nLayers, width }: LayerOfMany): SaeTensor {
  const { place, ...tensor } = tensorOf(file, name, { transposed: true });
  const [dIn = 0] = tensor.shape;
  const count = (nLayers - layer) * width;
  if (count === width) return { ...tensor, place };
  const load = async () => {
    const own = await tensor.load();
    const result = new Float32Array(dIn * count);
    for (let row = 0; row < dIn; row++) result.set(own.subarray(row * width, (row + 1) * width), row * count);
    return result;
  };
  return { ...tensor, shape: [dIn, count], load };
}
