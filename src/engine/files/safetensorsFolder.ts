/**
 * Finds the weights of a folder: `model.safetensors`, or the shards that `model.safetensors.index.json` lists
 * (https://huggingface.co/docs/safetensors). What an index says is checked before any file it names is opened.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import { EngineError, isEngineError } from '../../shared/errors.ts';
import { fileError, malformed, shorten } from './fileErrors.ts';
import { fileInFolder } from './insideFolder.ts';
import { readJson } from './json.ts';
import { openSafetensors, type Safetensors } from './safetensors.ts';
import type { StoredTensor } from './safetensorsHeader.ts';

/** Where one tensor lies, and in which file. */
export interface LocatedTensor extends StoredTensor {
  /** Real path. */
  readonly file: string;
  /** Tells the file from one that replaced it (see `stampOf`). */
  readonly stamp: string;
  /** What programs put right where another format stores it otherwise: row i is the stored row `rows[i]`, */
  readonly rows?: Int32Array;
  /** and the stored numbers are one too large. */
  readonly plusOne?: boolean;
}

/** The tensors of one model, in one file or in several. */
export interface WeightFiles {
  /** For messages: the file, or the index of its shards. */
  readonly path: string;
  /** Real paths of the files that hold tensors, in the order of their names. */
  readonly files: readonly string[];
  readonly tensors: ReadonlyMap<string, LocatedTensor>;
}

const single = 'model.safetensors';
const indexName = 'model.safetensors.index.json';
/** More shards than any model has; the index of a damaged or hostile folder could name millions. */
const maxShards = 10_000;

const indexSchema = v.looseObject({
  weight_map: v.custom<Record<string, unknown>>(
    (input) => typeof input === 'object' && input !== null && !Array.isArray(input),
    'an object that gives each tensor its file',
  ),
});

/**
 * Opens the weights in `folder`, a real path; headers are checked in full and no tensor data is read.
 * @throws file.missing, file.unreadable, file.malformed; model.notSafetensors when there are only formats that run code.
 */
export async function openSafetensorsFolder(folder: string): Promise<WeightFiles> {
  const found = await readdir(folder).catch((error) => {
    throw fileError(folder, error);
  });
  if (found.includes(single)) {
    const path = join(folder, single);
    await fileInFolder(folder, single);
    return filesOf(await openSafetensors(path));
  }
  if (found.includes(indexName)) return openShards(folder, join(folder, indexName));
  const unsafe = found.find((name) => /\.(bin|pt|pth|ckpt|h5|msgpack)(\.index\.json)?$/.test(name));
  if (unsafe !== undefined)
    throw new EngineError('model.notSafetensors', { path: folder, found: shorten(unsafe) });
  throw new EngineError('file.missing', { path: join(folder, single) });
}

/** One opened file as the weights of a model. */
export function filesOf({ path, stamp, tensors }: Safetensors): WeightFiles {
  const located = [...tensors].map(([name, tensor]) => [name, { ...tensor, file: path, stamp }] as const);
  return { path, files: [path], tensors: new Map(located) };
}

async function openShards(folder: string, path: string): Promise<WeightFiles> {
  const { weight_map } = await readJson(path, indexSchema);
  const assigned = new Map(Object.entries(weight_map));
  if (assigned.size === 0) throw malformed(path, 'weight_map', 'at least one tensor', 'none');
  const names = shardNames(path, assigned);
  const shards = new Map<string, Safetensors>();
  for (const name of names) shards.set(name, await openShard(folder, path, name));
  return {
    path,
    files: [...shards.values()].map((shard) => shard.path),
    tensors: assemble(path, assigned, shards),
  };
}

/** The files that `assigned` names, each once, in order. A shard lies beside its index, so a name has no folders in it. */
function shardNames(path: string, assigned: ReadonlyMap<string, unknown>): readonly string[] {
  const names = new Set<string>();
  for (const [tensor, name] of assigned) {
    const isPlain = typeof name === 'string' && /^[^/\\:\0]+\.safetensors$/.test(name);
    if (!isPlain) {
      const expected = 'the name of a .safetensors file in the same folder, without any path';
      throw malformed(path, `weight_map[${shorten(JSON.stringify(tensor), 50)}]`, expected, name);
    }
    names.add(name);
    if (names.size > maxShards) throw malformed(path, 'weight_map', `at most ${maxShards} files`, 'more');
  }
  return [...names].sort();
}

async function openShard(folder: string, index: string, name: string): Promise<Safetensors> {
  const path = join(folder, name);
  await fileInFolder(folder, name).catch((error) => {
    if (!isEngineError(error, 'file.missing')) throw error;
    throw malformed(index, 'weight_map', `files that are there, but ${shorten(name)} is`, undefined);
  });
  return openSafetensors(path);
}

/** Every listed tensor with its place. Several files that hold one tensor would leave open which of them is meant. */
function assemble(
  path: string,
  assigned: ReadonlyMap<string, unknown>,
  shards: ReadonlyMap<string, Safetensors>,
): ReadonlyMap<string, LocatedTensor> {
  const holders = new Map<string, string>();
  for (const [file, { tensors }] of shards) {
    for (const tensor of tensors.keys()) {
      const other = holders.get(tensor);
      if (other === undefined) {
        holders.set(tensor, file);
        continue;
      }
      throw malformed(path, shorten(tensor, 50), 'in one shard only', `in ${other} and in ${file}`);
    }
  }
  const located = new Map<string, LocatedTensor>();
  for (const [tensor, file] of assigned) {
    const shard = shards.get(file as string)!;
    const stored = shard.tensors.get(tensor);
    if (!stored) {
      const found = holders.has(tensor) ? `in ${holders.get(tensor)}` : undefined;
      throw malformed(path, shorten(tensor, 50), `a tensor in ${file}`, found);
    }
    located.set(tensor, { ...stored, file: shard.path, stamp: shard.stamp });
  }
  return located;
}
