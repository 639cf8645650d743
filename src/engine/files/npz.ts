/** Opens `.npz` files: NumPy arrays in a zip archive, as `numpy.savez` and `numpy.savez_compressed` write them. */
import type { Value } from '../graph/value.ts';
import { malformed, shorten } from './fileErrors.ts';
import { maxNpyHeader, type NpyHeader, parseNpyHeader } from './npy.ts';
import { bytesPerElement } from './safetensorsHeader.ts';
import { gatherStrided, swapBytes } from './stridedCopy.ts';
import {
  checkTensorName,
  type FileTensor,
  storedValue,
  type TensorFile,
  tensorOf,
  widenToFloat32,
} from './tensorFile.ts';
import { openZip, readZipRest, readZipStart, type ZipArchive, type ZipEntry } from './zip.ts';

interface NpzArray extends FileTensor {
  readonly entry: ZipEntry;
  readonly header: NpyHeader;
}

/**
 * Opens the archive at `path` and checks the header of each array in it; arrays are named as NumPy names them,
 * without `.npy`.
 * @throws file.missing, file.unreadable, file.malformed.
 */
export async function openNpz(path: string): Promise<TensorFile> {
  return npzOf(await openZip(path));
}

/** As `openNpz`, for an archive that is open already. */
export async function npzOf(archive: ZipArchive): Promise<TensorFile> {
  const { path, stamp } = archive;
  const tensors = new Map<string, NpzArray>();
  for (const entry of archive.entries.values()) {
    if (!entry.name.endsWith('.npy')) continue;
    const name = entry.name.slice(0, -'.npy'.length);
    checkTensorName(path, name);
    tensors.set(name, await locateArray(archive, entry, shorten(name, 50)));
  }
  if (tensors.size === 0) throw malformed(path, 'entries', 'at least one .npy array', 'none');
  const read = async (name: string) => readArray(archive, tensorOf(path, tensors, name), name);
  return {
    path,
    stamp,
    format: 'npz',
    tensors,
    values: new Map(),
    read,
    readFloat32: async (name) => widenToFloat32(path, name, await read(name)),
  };
}

async function locateArray(archive: ZipArchive, entry: ZipEntry, name: string): Promise<NpzArray> {
  const { path } = archive;
  const header = parseNpyHeader(path, name, await readZipStart(archive, entry, maxNpyHeader));
  const { dtype, shape, length, headerLength, fortranOrder, bigEndian } = header;
  if (headerLength + length !== entry.length) {
    const expected = `${length} bytes for shape [${shape.join(', ')}] of ${dtype}`;
    throw malformed(path, `${name} data`, expected, `${entry.length - headerLength} bytes`);
  }
  const reordered = fortranOrder && shape.length > 1;
  const swapped = bigEndian && bytesPerElement[dtype] > 1;
  const inPlace = entry.stored && !reordered && !swapped;
  const place = inPlace ? { offset: entry.offset + headerLength } : {};
  return { dtype, shape, length, ...place, entry, header };
}

async function readArray(archive: ZipArchive, array: NpzArray, name: string): Promise<Value> {
  const { path } = archive;
  const { shape, header, entry } = array;
  const size = bytesPerElement[array.dtype];
  const data = await readZipRest(archive, entry, header.headerLength);
  if (header.bigEndian) swapBytes(data, size);
  if (!header.fortranOrder || shape.length < 2) return storedValue(path, name, array, data);
  const strides: number[] = [];
  let stride = 1;
  for (const dim of shape) {
    strides.push(stride);
    stride *= dim;
  }
  return storedValue(path, name, array, gatherStrided(path, data, size, shape, strides, 0));
}
