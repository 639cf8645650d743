/**
 * Opens PyTorch checkpoints (`.pt`, `.pth`, `.bin`), both the zip archives since PyTorch 1.6 and the older plain files,
 * without running anything of them: tensors and plain values come out, everything else is refused by name.
 */
import type { Value } from '../graph/value.ts';
import { malformed, shorten } from './fileErrors.ts';
import { flattenCheckpoint } from './flattenCheckpoint.ts';
import { readPickle } from './pickle.ts';
import type { PickleValue } from './pickleStack.ts';
import { readBytes, withFile } from './regularFile.ts';
import { bytesPerElement } from './safetensorsHeader.ts';
import { gatherStrided } from './stridedCopy.ts';
import { type FileTensor, storedValue, type TensorFile, tensorOf, widenToFloat32 } from './tensorFile.ts';
import { type TorchStorage, type TorchTensor, torchVocabulary } from './torchPickle.ts';
import { openZip, readZipEntry, type ZipArchive, type ZipEntry } from './zip.ts';

/** Pickles of checkpoints take some hundred bytes per tensor. */
const maxPickleBytes = 32 * 2 ** 20;

/** Where the numbers of a storage are. */
export interface StoragePlace {
  /** First byte in the file, when they lie there as they are. */
  readonly offset?: number;
  /** Bytes. */
  readonly length: number;
  /** All of its bytes, for those that do not lie in the file as they are. */
  read(): Promise<Uint8Array>;
}

interface LocatedTensor extends FileTensor {
  readonly view: TorchTensor;
  readonly place: StoragePlace;
}

/**
 * Opens the checkpoint in the zip archive at `path`; no numbers are read yet.
 * @throws file.missing, file.unreadable, file.malformed, which names what a pickle wanted to call.
 */
export async function openTorch(path: string): Promise<TensorFile> {
  return torchOf(await openZip(path));
}

/** True when the archive holds a PyTorch checkpoint. */
export function isTorchArchive({ entries }: ZipArchive): boolean {
  return pickleEntry(entries) !== undefined;
}

/** As `openTorch`, for an archive that is open already. */
export async function torchOf(archive: ZipArchive): Promise<TensorFile> {
  const { path, entries } = archive;
  const entry = pickleEntry(entries);
  if (!entry) throw malformed(path, 'data.pkl', 'the pickle of a checkpoint', undefined);
  const root = entry.name.slice(0, -'data.pkl'.length);
  await checkByteOrder(archive, entries.get(`${root}byteorder`));
  const bytes = await readZipEntry(archive, entry, maxPickleBytes);
  const { value } = readPickle(path, 'data.pkl', bytes, torchVocabulary(path, 'data.pkl'));
  const placeOf = ({ key }: TorchStorage): StoragePlace => {
    const storage = entries.get(`${root}data/${key}`);
    if (!storage) throw malformed(path, `data/${shorten(key, 40)}`, 'a storage in the file', undefined);
    const { stored, offset, length } = storage;
    return { ...(stored && { offset }), length, read: () => readZipEntry(archive, storage) };
  };
  return checkpointFile(archive, value, placeOf);
}

/** The checkpoint `content` of a file, whose storages `placeOf` finds. @throws file.malformed */
export function checkpointFile(
  { path, stamp }: { readonly path: string; readonly stamp: string },
  content: PickleValue,
  placeOf: (storage: TorchStorage) => StoragePlace,
): TensorFile {
  const { tensors: views, values } = flattenCheckpoint(path, content);
  const tensors = new Map<string, LocatedTensor>();
  for (const [name, view] of views) tensors.set(name, locate(path, view, placeOf(view.storage)));
  const read = async (name: string) => readView(path, stamp, name, tensorOf(path, tensors, name));
  return {
    path,
    stamp,
    format: 'torch',
    tensors,
    values,
    read,
    readFloat32: async (name) => widenToFloat32(path, name, await read(name)),
  };
}

function locate(path: string, view: TorchTensor, place: StoragePlace): LocatedTensor {
  const { storage, dtype, shape, start } = view;
  if (place.length !== storage.length) {
    const field = `storage ${shorten(storage.key, 40)}`;
    throw malformed(path, field, `${storage.length} bytes, as data.pkl says`, `${place.length} bytes`);
  }
  const size = bytesPerElement[dtype];
  const length = shape.reduce((product, dim) => product * dim, size);
  const inPlace = place.offset !== undefined && isRowMajor(view);
  return { dtype, shape, length, ...(inPlace && { offset: place.offset! + start * size }), view, place };
}

async function readView(path: string, stamp: string, name: string, tensor: LocatedTensor): Promise<Value> {
  const { offset, length, view, place } = tensor;
  if (offset !== undefined) {
    const bytes = await withFile(path, (file) => readBytes(path, file, offset, length), stamp);
    return storedValue(path, name, tensor, bytes);
  }
  const { dtype, shape, strides, start } = view;
  const size = bytesPerElement[dtype];
  const source = await place.read();
  const bytes = isRowMajor(view)
    ? source.subarray(start * size, start * size + length)
    : gatherStrided(path, source, size, shape, strides, start);
  return storedValue(path, name, tensor, bytes);
}

/** True when the elements of the view follow one another in the storage. */
function isRowMajor({ shape, strides }: TorchTensor): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const dim = shape[axis]!;
    if (dim === 0) return true;
    if (dim !== 1 && strides[axis] !== expected) return false;
    expected *= dim;
  }
  return true;
}

function pickleEntry(entries: ReadonlyMap<string, ZipEntry>): ZipEntry | undefined {
  for (const entry of entries.values()) if (/^([^/]+\/)?data\.pkl$/.test(entry.name)) return entry;
  return undefined;
}

async function checkByteOrder(archive: ZipArchive, entry: ZipEntry | undefined): Promise<void> {
  if (!entry) return;
  const order = new TextDecoder().decode(await readZipEntry(archive, entry, 100));
  if (order !== 'little') throw malformed(archive.path, 'byteorder', 'little', order);
}
