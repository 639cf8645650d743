/** The tensors of an SAE as files hold them: in place where the runtime can map them, read once where it cannot. */
import { malformed } from '../files/fileErrors.ts';
import type { DType } from '../graph/opAttributes.ts';
import { cast, exp, mul } from '../graph/ops/elementwise.ts';
import { input, parameter } from '../graph/sources.ts';
import type { Tensor } from '../graph/tensor.ts';
import { elementCount, type FloatValue, floatValue } from '../graph/value.ts';
import { expectedShape, type SaeConfig, type SaeTensor, type SaeTensorName } from './format.ts';

/** A matrix or vector of a program; `transposed` tells that it lies the other way round. */
export interface GraphWeight {
  readonly tensor: Tensor;
  readonly transposed: boolean;
}

/** The weights of an SAE in a program, by the names of `SaeTensorName`. */
export type SaeTensors = Readonly<Record<string, GraphWeight>>;

/** Element types that the runtime reads in place. */
const dtypes: Readonly<Record<string, DType>> = {
  F64: 'float64',
  F32: 'float32',
  F16: 'float16',
  BF16: 'bfloat16',
};

/** The runtime maps weights only where they start at a multiple of this. */
const alignment = 8;

/** True when the runtime can read the tensor where it lies. */
export function isMapped({ place }: SaeTensor): boolean {
  return place !== undefined && dtypes[place.dtype] !== undefined && place.offset % alignment === 0;
}

/**
 * The tensors as sources of a program: mapped from their files, or inputs `weight.NAME` that each run is fed.
 * @throws file.malformed for a tensor that holds no floating-point numbers.
 */
export function graphWeights(tensors: ReadonlyMap<SaeTensorName, SaeTensor>): SaeTensors {
  return Object.fromEntries([...tensors].map(([name, stored]) => [name, graphWeight(name, stored)]));
}

/** Numbers for the inputs of `graphWeights`, by their names; transforms and scales are applied already. */
export async function loadFeeds(
  tensors: ReadonlyMap<SaeTensorName, SaeTensor>,
): Promise<Readonly<Record<string, FloatValue>>> {
  const feeds: Record<string, FloatValue> = {};
  for (const [name, stored] of tensors) {
    if (!isMapped(stored))
      feeds[feedName(name)] = floatValue(changed(stored, await stored.load()), stored.shape);
  }
  return feeds;
}

/** The tensor in the shape of `SaeTensorName`, its transform and scale applied. */
export async function readTensor(
  name: SaeTensorName,
  stored: SaeTensor,
  config: Pick<SaeConfig, 'dIn' | 'dSae' | 'target'>,
): Promise<Float32Array> {
  const shape = expectedShape(name, config);
  const loaded = await stored.load();
  const count = elementCount(shape);
  const full = loaded.length === 1 && count > 1 ? new Float32Array(count).fill(loaded[0]!) : loaded;
  const numbers = changed(stored, full);
  return stored.transposed ? transposedMatrix(numbers, shape[1]!, shape[0]!) : numbers;
}

/** What the file holds, with the transform and the scale applied. */
function changed({ transform, scale = 1 }: SaeTensor, data: Float32Array): Float32Array {
  if (transform === undefined && scale === 1) return data;
  return data.map((x) => (transform === 'exp' ? Math.exp(x) : x) * scale);
}

/** The transpose of a row-major matrix `[rows, columns]`. */
export function transposedMatrix(data: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(data.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++)
      result[column * rows + row] = data[row * columns + column]!;
  }
  return result;
}

function graphWeight(name: SaeTensorName, stored: SaeTensor): GraphWeight {
  const raw = rawTensor(name, stored);
  const { scale = 1, transposed = false, transform } = stored;
  // Those that are fed come as they are used.
  if (!isMapped(stored)) return { tensor: raw, transposed };
  const plain = transform === 'exp' ? exp(raw) : raw;
  return { tensor: scale === 1 ? plain : mul(plain, scale), transposed };
}

function rawTensor(name: SaeTensorName, stored: SaeTensor): Tensor {
  const { path, place, shape } = stored;
  if (place && !dtypes[place.dtype])
    throw malformed(path, `${stored.stored}.dtype`, 'a floating-point type', place.dtype);
  if (!place || !isMapped(stored)) return input(feedName(name), 'float32', shape);
  const { offset, length, stamp } = place;
  return cast(parameter(name, dtypes[place.dtype]!, shape, { file: path, offset, length, stamp }), 'float32');
}

function feedName(name: SaeTensorName): string {
  return `weight.${name}`;
}
