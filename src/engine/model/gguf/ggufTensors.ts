/** Gives the tensors of a GGUF file their Hugging Face names, and says what has to be undone to get their numbers. */
import { EngineError } from '../../../shared/errors.ts';
import { malformed, shorten } from '../../files/fileErrors.ts';
import type { Gguf, GgufTensor } from '../../files/gguf.ts';
import { isReadableGgufType, type ReadableGgufType, readableGgufTypes } from '../../files/ggufTypes.ts';
import type { GgufArchitecture, TensorRule } from './ggufArchitectures.ts';

/** One tensor as Hugging Face would store it. */
export interface NamedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly source: GgufTensor & { readonly type: ReadableGgufType };
  /** Row i is the stored row `rows[i]`; absent when rows stay where they are. */
  readonly rows?: Int32Array;
  /** The stored matrix is the transposed one. */
  readonly transposed?: boolean;
  /** The stored numbers are one too large. */
  readonly plusOne?: boolean;
}

/** What row orders depend on. */
export interface HeadSizes {
  readonly architecture: string;
  readonly layers: number;
  readonly heads: number;
  readonly keyHeads: number;
  readonly headSize: number;
}

/** Tensors that describe rotary positions, and say nothing that is not in the config. */
const described = /^(rope_freqs|rope_factors_long|rope_factors_short|blk\.\d+\.attn_rot_embd)\.weight$/;

/**
 * All tensors but those of rotary positions.
 * @throws model.unsupported for a tensor that such a model does not have, and for number formats that cannot be read;
 * file.malformed for a block or a shape that is not the model's.
 */
export function nameTensors(gguf: Gguf, rules: GgufArchitecture, sizes: HeadSizes): readonly NamedTensor[] {
  const named: NamedTensor[] = [];
  const taken = new Set<string>();
  for (const tensor of gguf.tensors.values()) {
    if (described.test(tensor.name)) continue;
    for (const entry of nameTensor(gguf, rules, sizes, tensor)) {
      if (taken.has(entry.name)) throw malformed(gguf.path, shorten(tensor.name, 50), 'stored once', 'twice');
      taken.add(entry.name);
      named.push(entry);
    }
  }
  return named;
}

function nameTensor(
  gguf: Gguf,
  rules: GgufArchitecture,
  sizes: HeadSizes,
  source: GgufTensor,
): readonly NamedTensor[] {
  const [, layer, stem = '', kind] = /^(?:blk\.(\d{1,4})\.)?(\w+)\.(weight|bias)$/.exec(source.name) ?? [];
  const table = layer === undefined ? rules.global : rules.block;
  if (!Object.hasOwn(table, stem))
    throw unsupported(gguf, sizes, `with a tensor ${shorten(source.name, 50)}`);
  if (layer !== undefined && Number(layer) >= sizes.layers) {
    throw malformed(gguf.path, `${sizes.architecture}.block_count`, `more than ${layer}`, sizes.layers);
  }
  if (!isReadable(source)) {
    const supported = `numbers stored as ${readableGgufTypes.join(', ')}`;
    const architecture = `${sizes.architecture}, with ${shorten(source.name, 50)} stored as ${source.type}`;
    throw new EngineError('model.unsupported', { path: gguf.path, architecture, supported });
  }
  const rule = table[stem]!;
  const prefix = layer === undefined ? '' : `${rules.prefix}${layer}.`;
  return applyRule(gguf, sizes, source, rule, (name) => `${prefix}${name}.${kind}`);
}

function applyRule(
  gguf: Gguf,
  sizes: HeadSizes,
  source: NamedTensor['source'],
  rule: TensorRule,
  fullName: (name: string) => string,
): readonly NamedTensor[] {
  const { heads, keyHeads, headSize } = sizes;
  const name = fullName(rule.name);
  const { shape } = source;
  const [rowCount = 0, ...rest] = shape;
  const layout = rule.weightOnly && name.endsWith('.bias') ? undefined : rule.layout;
  // Sizes come from the file: they are checked before anything of that size is made.
  const reordered = (stored: number, order: () => Int32Array, as = name): NamedTensor => {
    if (rowCount !== stored) throw malformed(gguf.path, shorten(source.name, 50), `${stored} rows`, rowCount);
    if (headSize % 2 !== 0) throw malformed(gguf.path, 'the size of a head', 'an even number', headSize);
    const rows = order();
    return { name: as, shape: [rows.length, ...rest], source, rows };
  };
  switch (layout) {
    case undefined:
      return [{ name, shape, source }];
    case 'plusOne':
      return [{ name, shape, source, plusOne: true }];
    case 'transposed':
      if (shape.length !== 2) throw malformed(gguf.path, shorten(source.name, 50), 'a matrix', shape);
      return [{ name, shape: [...shape].reverse(), source, transposed: true }];
    case 'queryHeads':
      return [reordered(heads * headSize, () => halvedHeads(heads, headSize))];
    case 'keyHeads':
      return [reordered(keyHeads * headSize, () => halvedHeads(keyHeads, headSize))];
    case 'groupedQkv':
      return [reordered(3 * heads * headSize, () => groupedByHead(heads, headSize))];
    case 'joinedQkv': {
      const [queries, keys] = [heads * headSize, keyHeads * headSize];
      const most = queries + 2 * keys;
      const part = (letter: string, from: number, count: number) =>
        reordered(
          most,
          () => Int32Array.from({ length: count }, (_, i) => from + i),
          name.replace('*', letter),
        );
      return [part('q', 0, queries), part('k', queries, keys), part('v', queries + keys, keys)];
    }
  }
}

/** llama.cpp rotates neighbouring pairs of each head's rows, Hugging Face row i of one half with row i of the other. */
function halvedHeads(heads: number, headSize: number): Int32Array {
  const half = headSize / 2;
  return Int32Array.from({ length: heads * headSize }, (_, row) => {
    const [head, within] = [Math.floor(row / headSize), row % headSize];
    return head * headSize + (within % half) * 2 + Math.floor(within / half);
  });
}

/** From rows `[q of all heads, k of all heads, v of all heads]` to `[q, k, v]` for each head. */
function groupedByHead(heads: number, headSize: number): Int32Array {
  return Int32Array.from({ length: 3 * heads * headSize }, (_, row) => {
    const [head, within] = [Math.floor(row / (3 * headSize)), row % (3 * headSize)];
    return Math.floor(within / headSize) * heads * headSize + head * headSize + (within % headSize);
  });
}

function isReadable(tensor: GgufTensor): tensor is NamedTensor['source'] {
  return isReadableGgufType(tensor.type);
}

function unsupported({ path }: Gguf, { architecture }: HeadSizes, what: string): EngineError {
  const supported = `${architecture} without it`;
  return new EngineError('model.unsupported', {
    path,
    architecture: shorten(`${architecture}, ${what}`, 120),
    supported,
  });
}
