/** Turns the nested dictionaries of a checkpoint into tensors and plain values by dotted name. */
import { malformed, shorten } from './fileErrors.ts';
import { PickleGlobal } from './pickle.ts';
import type { PickleValue } from './pickleStack.ts';
import { checkTensorName, type PlainValue } from './tensorFile.ts';
import { TorchTensor } from './torchPickle.ts';

/** Optimizer states nest five deep; shared references could otherwise unfold without end. */
const maxDepth = 16;
const maxLeaves = 200_000;
const maxName = 1000;

export interface FlatCheckpoint {
  readonly tensors: ReadonlyMap<string, TorchTensor>;
  /** Texts, numbers, truth values and the names of dtypes (`torch.float32`). Byte strings are left out. */
  readonly values: ReadonlyMap<string, PlainValue>;
}

/**
 * Keys of dictionaries and places in lists, joined by dots, name what lies there; a tensor alone is called `tensor`.
 * @throws file.malformed when it nests too deep, holds too much, or names collide.
 */
export function flattenCheckpoint(path: string, content: PickleValue): FlatCheckpoint {
  const tensors = new Map<string, TorchTensor>();
  const values = new Map<string, PlainValue>();
  let visited = 0;
  const visit = (name: string, value: PickleValue, depth: number): void => {
    if (++visited > maxLeaves) throw malformed(path, 'data.pkl', `at most ${maxLeaves} values`, 'more');
    if (name.length > maxName) throw malformed(path, 'names', `at most ${maxName} characters`, name);
    if (depth > maxDepth) {
      throw malformed(path, shorten(name, 50), `dictionaries at most ${maxDepth} deep`, 'deeper ones');
    }
    const children = childrenOf(path, name, value);
    if (children) {
      for (const [key, child] of children) visit(name === '' ? key : `${name}.${key}`, child, depth + 1);
      return;
    }
    addLeaf(path, { tensors, values }, name || 'tensor', value);
  };
  visit('', content, 0);
  return { tensors, values };
}

function addLeaf(
  path: string,
  { tensors, values }: { tensors: Map<string, TorchTensor>; values: Map<string, PlainValue> },
  name: string,
  value: PickleValue,
): void {
  if (tensors.has(name) || values.has(name)) {
    throw malformed(path, shorten(name, 50), 'a name of its own', 'one that occurs twice');
  }
  if (value instanceof TorchTensor) {
    checkTensorName(path, name);
    tensors.set(name, value);
  } else if (value instanceof PickleGlobal) {
    values.set(name, value.name);
  } else if (value === null || typeof value !== 'object') {
    values.set(name, value);
  }
}

function childrenOf(
  path: string,
  name: string,
  value: PickleValue,
): Iterable<[string, PickleValue]> | undefined {
  if (value instanceof Map) return keyed(path, name, value);
  if (Array.isArray(value) || value instanceof Set) {
    return Array.from(
      value as Iterable<PickleValue>,
      (child, i) => [String(i), child] as [string, PickleValue],
    );
  }
  return undefined;
}

function* keyed(
  path: string,
  name: string,
  dictionary: ReadonlyMap<PickleValue, PickleValue>,
): Iterable<[string, PickleValue]> {
  for (const [key, child] of dictionary) {
    const plain = key instanceof PickleGlobal ? key.name : key;
    if (plain !== null && typeof plain === 'object') {
      throw malformed(path, shorten(name, 50) || 'data.pkl', 'texts or numbers as keys', 'a tuple');
    }
    yield [String(plain), child];
  }
}
