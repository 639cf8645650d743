/** Puts together what a format has found in its files, and checks that the tensors are those the config asks for. */
import { malformed } from '../files/fileErrors.ts';
import type { StoredDtype } from '../files/safetensorsHeader.ts';
import {
  expectedShape,
  requiredTensors,
  type SaeConfig,
  type SaeFolder,
  type SaeTensor,
  type SaeTensorName,
  type TensorPlace,
} from './format.ts';
import { readTensor } from './tensors.ts';

/** Named tensors in a file, as the readers of `files/` give them. Offsets are absent where bytes cannot be mapped. */
export interface TensorSource {
  /** Real path. */
  readonly path: string;
  readonly stamp: string;
  readonly tensors: ReadonlyMap<
    string,
    {
      readonly dtype: string;
      readonly shape: readonly number[];
      readonly offset?: number;
      readonly length?: number;
    }
  >;
  readFloat32(name: string): Promise<Float32Array>;
}

/** How a stored tensor departs from `SaeTensorName`. */
export type TensorReading = Pick<SaeTensor, 'transposed' | 'transform' | 'scale'> & {
  /** Read under this shape instead of the stored one, which has as many elements. */
  readonly shape?: readonly number[];
};

const floating = new Set(['F16', 'BF16', 'F32', 'F64']);

/** The tensor `stored` of a file. @throws file.malformed when it is absent or holds no floating-point numbers. */
export function tensorOf(file: TensorSource, stored: string, reading: TensorReading = {}): SaeTensor {
  const found = file.tensors.get(stored);
  if (!found) throw malformed(file.path, stored, 'a tensor in the file', undefined);
  const { dtype, shape, offset, length } = found;
  if (!floating.has(dtype)) throw malformed(file.path, `${stored}.dtype`, [...floating].join(', '), dtype);
  const place: TensorPlace | undefined =
    offset === undefined || length === undefined
      ? undefined
      : { dtype: dtype as StoredDtype, offset, length, stamp: file.stamp };
  const load = () => file.readFloat32(stored);
  return { path: file.path, stored, shape, ...(place && { place }), ...reading, load };
}

/** A number that stands for every element, known from the config at `path`. */
export function constantTensor(path: string, field: string, value: number): SaeTensor {
  return { path, stored: field, shape: [], load: async () => Float32Array.of(value) };
}

/** What a format found. */
export type FoundSae = Omit<SaeFolder, 'id' | 'read' | 'sparsity'> & {
  /** Which of several SAEs of the folder; see `SaeId`. */
  readonly part?: string;
  readonly sparsity?: () => Promise<Float32Array | undefined>;
};

/**
 * The opened SAE.
 * @throws file.malformed when a tensor is missing or has another shape than the config says.
 */
export function openedSae(found: FoundSae): SaeFolder {
  const { config, tensors, part, path } = found;
  for (const name of requiredTensors[config.architecture]) {
    const expected = `a tensor of shape [${expectedShape(name, config).join(', ')}]`;
    if (!tensors.has(name)) throw malformed(anyFile(found), name, expected, undefined);
  }
  for (const [name, tensor] of tensors) checkShape(name, tensor, config);
  return {
    ...found,
    id: part === undefined ? path : `${path}#${part}`,
    sparsity: found.sparsity ?? (async () => undefined),
    read: (name) => readNamed(found, name),
  };
}

function anyFile({ tensors, path }: FoundSae): string {
  return [...tensors.values()][0]?.path ?? path;
}

async function readNamed(found: Pick<FoundSae, 'tensors' | 'config' | 'path'>, name: SaeTensorName) {
  const tensor = found.tensors.get(name);
  if (!tensor) throw malformed(found.path, name, 'a tensor of this SAE', undefined);
  return readTensor(name, tensor, found.config);
}

function checkShape(name: SaeTensorName, { path, stored, shape, transposed }: SaeTensor, config: SaeConfig) {
  const expected = expectedShape(name, config);
  if (shape.length === 0 && expected.length === 1) return;
  if (transposed) expected.reverse();
  if (shape.join(', ') === expected.join(', ')) return;
  const wanted = `[${expected.join(', ')}], as the config and the other tensors say`;
  throw malformed(path, `the shape of ${stored}`, wanted, shape);
}
