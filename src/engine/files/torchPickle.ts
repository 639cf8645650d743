/** What a PyTorch checkpoint may mention in its pickle: storages, tensors over them, dtypes, sizes, ordered dictionaries. */
import { malformed } from './fileErrors.ts';
import { PickleGlobal, type PickleVocabulary } from './pickle.ts';
import type { PickleValue } from './pickleStack.ts';
import { bytesPerElement, type StoredDtype } from './safetensorsHeader.ts';
import { checkedLength } from './tensorFile.ts';

/** A run of numbers that tensors are views of. */
export class TorchStorage {
  constructor(
    readonly key: string,
    /** Absent for an untyped storage, whose tensors say their dtype themselves. */
    readonly dtype: StoredDtype | undefined,
    /** Bytes. */
    readonly length: number,
  ) {}
}

/** A tensor as a view of its storage, known to lie inside it. */
export class TorchTensor {
  constructor(
    readonly storage: TorchStorage,
    readonly dtype: StoredDtype,
    readonly shape: readonly number[],
    /** Elements from one index to the next, for each axis. */
    readonly strides: readonly number[],
    /** Elements before the first one. */
    readonly start: number,
  ) {}
}

const storageDtypes: Readonly<Record<string, StoredDtype>> = {
  DoubleStorage: 'F64',
  FloatStorage: 'F32',
  HalfStorage: 'F16',
  BFloat16Storage: 'BF16',
  LongStorage: 'I64',
  IntStorage: 'I32',
  ShortStorage: 'I16',
  CharStorage: 'I8',
  ByteStorage: 'U8',
  BoolStorage: 'BOOL',
};

const dtypeNames: Readonly<Record<string, StoredDtype>> = {
  float64: 'F64',
  double: 'F64',
  float32: 'F32',
  float: 'F32',
  float16: 'F16',
  half: 'F16',
  bfloat16: 'BF16',
  int64: 'I64',
  long: 'I64',
  int32: 'I32',
  int: 'I32',
  int16: 'I16',
  int8: 'I8',
  uint64: 'U64',
  uint32: 'U32',
  uint16: 'U16',
  uint8: 'U8',
  bool: 'BOOL',
  float8_e4m3fn: 'F8_E4M3',
  float8_e5m2: 'F8_E5M2',
};

class StorageType extends PickleGlobal {
  constructor(
    name: string,
    readonly dtype: StoredDtype | undefined,
  ) {
    super(name);
  }
}

class TorchDtype extends PickleGlobal {
  constructor(
    name: string,
    readonly dtype: StoredDtype,
  ) {
    super(name);
  }
}

/** A broadcast view (stride 0) may grow to as many elements; PyTorch writes small ones, bombs want large ones. */
const maxRepeated = 2 ** 24;

/**
 * The vocabulary of checkpoints for the pickle that messages call `field` in the file at `path`. The storages that it
 * mentions are put into `storages` by their key.
 */
export function torchVocabulary(
  path: string,
  field: string,
  storages: Map<string, TorchStorage> = new Map(),
): PickleVocabulary {
  const reader = new TorchReader(path, field, storages);
  const globals: PickleGlobal[] = [
    ...Object.entries(storageDtypes).map(([name, dtype]) => new StorageType(`torch.${name}`, dtype)),
    new StorageType('torch.storage.UntypedStorage', undefined),
    new StorageType('torch.UntypedStorage', undefined),
    ...Object.entries(dtypeNames).map(([name, dtype]) => new TorchDtype(`torch.${name}`, dtype)),
    new PickleGlobal('torch._utils._rebuild_tensor', (args) => reader.tensor(args)),
    new PickleGlobal('torch._utils._rebuild_tensor_v2', (args) => reader.tensor(args)),
    new PickleGlobal('torch._utils._rebuild_tensor_v3', (args) => reader.tensor(args, args[6])),
    new PickleGlobal('torch._utils._rebuild_parameter', (args) => reader.parameter(args)),
    new PickleGlobal('torch.Size', (args) => reader.list(args)),
    new PickleGlobal('torch.device', (args) => args.filter(isPlain).join(':')),
    new PickleGlobal('collections.OrderedDict', (args) => reader.dictionary(args)),
    new PickleGlobal('builtins.set', (args) => new Set(reader.list(args))),
    new PickleGlobal('__builtin__.set', (args) => new Set(reader.list(args))),
  ];
  return {
    globals: new Map(globals.map((global) => [global.name, global])),
    persistent: (id) => reader.storage(id),
  };
}

/** Checks what the calls of a pickle are given before anything is made of it. */
class TorchReader {
  constructor(
    readonly path: string,
    readonly field: string,
    readonly storages: Map<string, TorchStorage>,
  ) {}

  /** `('storage', type, key, device, number of elements)`; files of PyTorch before 1.6 add the view of another storage. */
  storage(id: PickleValue): TorchStorage {
    const [kind, type, key, , count, view] = Array.isArray(id) ? id : [];
    if (kind !== 'storage' || !(type instanceof StorageType) || typeof key !== 'string') {
      throw this.#fault('a persistent id', "('storage', a storage type, a key, …)", 'another');
    }
    if (view !== undefined && view !== null) {
      throw this.#fault(`storage ${key}`, 'a storage of its own', 'a view of another');
    }
    const length = checkedLength(this.path, `storage ${key}`, [count], type.dtype ?? 'U8');
    const known = this.storages.get(key) ?? new TorchStorage(key, type.dtype, length);
    if (known.length !== length || known.dtype !== type.dtype) {
      throw this.#fault(`storage ${key}`, `${known.length} bytes of one type`, `${length} bytes`);
    }
    this.storages.set(key, known);
    return known;
  }

  /** `(storage, start, size, stride, …)`; version 3 also gives the dtype. */
  tensor(args: readonly PickleValue[], given?: PickleValue): TorchTensor {
    const [storage, start, size, stride] = args;
    if (!(storage instanceof TorchStorage)) throw this.#fault('a tensor', 'a storage', 'something else');
    const dtype = given instanceof TorchDtype ? given.dtype : storage.dtype;
    if (dtype === undefined) throw this.#fault('a tensor', 'a dtype', 'none that is known');
    const length = checkedLength(this.path, 'shape of a tensor', this.list([size ?? null]), dtype);
    const [shape, strides] = [size, stride] as [number[], unknown];
    if (!Array.isArray(strides) || strides.length !== shape.length || !strides.every(isCount)) {
      throw this.#fault('strides of a tensor', 'one whole number ≥ 0 for each axis', strides);
    }
    if (!isCount(start)) throw this.#fault('start of a tensor', 'a whole number ≥ 0', start);
    const tensor = new TorchTensor(storage, dtype, shape, strides, start);
    this.#checkInside(tensor, length);
    return tensor;
  }

  parameter([tensor]: readonly PickleValue[]): TorchTensor {
    if (tensor instanceof TorchTensor) return tensor;
    throw this.#fault('a parameter', 'a tensor', 'something else');
  }

  list([items]: readonly PickleValue[]): PickleValue[] {
    if (Array.isArray(items)) return items;
    throw this.#fault('a call', 'a list or tuple', 'something else');
  }

  dictionary([items]: readonly PickleValue[]): Map<PickleValue, PickleValue> {
    if (items === undefined) return new Map();
    const pairs = this.list([items]).filter((pair) => Array.isArray(pair) && pair.length === 2);
    return new Map(pairs as [PickleValue, PickleValue][]);
  }

  /** The view has to lie in its storage, and no element may stand for two, except those that a broadcast repeats. */
  #checkInside({ storage, dtype, shape, strides, start }: TorchTensor, length: number): void {
    const elements = storage.length / bytesPerElement[dtype];
    if (!Number.isInteger(elements)) {
      throw this.#fault(`storage ${storage.key}`, `whole numbers of ${dtype}`, `${storage.length} bytes`);
    }
    if (length === 0 && start <= elements) return;
    const axes = shape.map((dim, axis) => ({ dim, stride: strides[axis]! })).filter(({ dim }) => dim > 1);
    axes.sort((a, b) => a.stride - b.stride);
    let reach = 0;
    for (const { dim, stride } of axes) {
      if (stride > 0 && stride <= reach) {
        throw this.#fault('strides of a tensor', 'elements that do not overlap', strides);
      }
      reach += (dim - 1) * stride;
    }
    if (!(start + reach < elements)) {
      throw this.#fault('place of a tensor', `within the ${elements} elements of its storage`, start + reach);
    }
    const repeats = axes.some(({ stride }) => stride === 0);
    if (repeats && length / bytesPerElement[dtype] > maxRepeated) {
      throw this.#fault('shape of a tensor', `at most ${maxRepeated} elements when it repeats some`, shape);
    }
  }

  #fault(what: string, expected: string, found: unknown): Error {
    return malformed(this.path, `${what} in ${this.field}`, expected, found);
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isPlain(value: PickleValue): value is string | number {
  return typeof value === 'string' || typeof value === 'number';
}
