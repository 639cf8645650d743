/** Opens PyTorch checkpoints as they were before version 1.6: five pickles, then each storage behind its number of elements. */
import type { FileHandle } from 'node:fs/promises';
import { malformed, shorten } from './fileErrors.ts';
import { type ReadPickle, readPickle, readPickleStart } from './pickle.ts';
import { PickleTruncated } from './pickleBytes.ts';
import type { PickleValue } from './pickleStack.ts';
import { readBytes, realFile, withFile } from './regularFile.ts';
import { bytesPerElement } from './safetensorsHeader.ts';
import type { TensorFile } from './tensorFile.ts';
import { checkpointFile, type StoragePlace } from './torchFile.ts';
import { type TorchStorage, torchVocabulary } from './torchPickle.ts';

/** The whole number that opens such a file, as a pickle of protocol 2. */
export const legacyTorchMagic = [
  0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19,
];

/** The pickles are looked for in the first bytes of the file; more are read only when these do not hold them. */
const windows = [256 * 1024, 32 * 2 ** 20];

/**
 * Opens the checkpoint at `path`; no numbers are read yet.
 * @throws file.missing, file.unreadable, file.malformed, which names what a pickle wanted to call.
 */
export async function openLegacyTorch(path: string): Promise<TensorFile> {
  const real = await realFile(path);
  return withFile(real, async (file, size, stamp) => {
    const head = await readPickles(real, file, size);
    const places = await locateStorages(real, file, size, head);
    const placeOf = ({ key }: TorchStorage) => {
      const place = places.get(key);
      if (!place) throw malformed(real, `storage ${shorten(key, 40)}`, 'a storage in the file', undefined);
      return { ...place, read: () => readPlace(real, stamp, place) };
    };
    return checkpointFile({ path: real, stamp }, head.content, placeOf);
  });
}

interface LegacyHead {
  readonly content: PickleValue;
  /** Keys of the storages, in the order in which they follow. */
  readonly keys: readonly PickleValue[];
  readonly storages: ReadonlyMap<string, TorchStorage>;
  /** Bytes of all pickles. */
  readonly length: number;
}

type Place = Omit<StoragePlace, 'read'> & { readonly offset: number };

async function readPickles(path: string, file: FileHandle, size: number): Promise<LegacyHead> {
  for (const window of windows) {
    const bytes = await readBytes(path, file, 0, Math.min(window, size));
    const isAll = window >= size || window === windows.at(-1);
    try {
      return parseHead(path, bytes, isAll ? readPickle : readPickleStart);
    } catch (error) {
      if (!(error instanceof PickleTruncated)) throw error;
    }
  }
  throw malformed(path, 'pickles', `within the first ${windows.at(-1)} bytes`, 'longer ones');
}

function parseHead(path: string, bytes: Uint8Array, read: typeof readPickle): LegacyHead {
  const storages = new Map<string, TorchStorage>();
  let length = 0;
  const next = (field: string): PickleValue => {
    const vocabulary = torchVocabulary(path, field, storages);
    const pickle: ReadPickle = read(path, field, bytes.subarray(length), vocabulary);
    length += pickle.length;
    return pickle.value;
  };
  next('magic number');
  const protocol = next('protocol version');
  if (protocol !== 1001) throw malformed(path, 'protocol version', '1001', describeKind(protocol));
  const system = next('system information');
  const order = system instanceof Map ? system.get('little_endian') : undefined;
  if (order !== true) throw malformed(path, 'little_endian', 'true', describeKind(order));
  const content = next('checkpoint');
  const keys = next('list of storages');
  if (!Array.isArray(keys)) throw malformed(path, 'list of storages', 'a list of keys', describeKind(keys));
  return { content, keys, storages, length };
}

async function locateStorages(
  path: string,
  file: FileHandle,
  size: number,
  { keys, storages, length }: LegacyHead,
): Promise<Map<string, Place>> {
  const places = new Map<string, Place>();
  let position = length;
  for (const key of keys) {
    const storage = typeof key === 'string' ? storages.get(key) : undefined;
    if (!storage || places.has(storage.key)) {
      throw malformed(path, 'list of storages', 'keys of tensors, once each', describeKind(key));
    }
    const field = `storage ${shorten(storage.key, 40)}`;
    const elements = new DataView((await readBytes(path, file, position, 8)).buffer).getBigInt64(0, true);
    const bytes = Number(elements) * bytesPerElement[storage.dtype ?? 'U8'];
    if (bytes !== storage.length) throw malformed(path, field, `${storage.length} bytes`, `${bytes} bytes`);
    const offset = position + 8;
    position = offset + bytes;
    if (position > size) throw malformed(path, field, `an end within ${size} bytes`, position);
    places.set(storage.key, { offset, length: bytes });
  }
  return places;
}

function readPlace(path: string, stamp: string, { offset, length }: Place): Promise<Uint8Array> {
  return withFile(path, (file) => readBytes(path, file, offset, length), stamp);
}

function describeKind(value: PickleValue | undefined): unknown {
  return value !== null && typeof value === 'object' ? 'something else' : value;
}
