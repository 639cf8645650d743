/** Opens a file of named tensors by what it holds, whatever its name says. */
import { malformed } from './fileErrors.ts';
import { npzOf } from './npz.ts';
import { readBytes, realFile, withFile } from './regularFile.ts';
import { openSafetensors } from './safetensors.ts';
import type { TensorFile } from './tensorFile.ts';
import { isTorchArchive, torchOf } from './torchFile.ts';
import { legacyTorchMagic, openLegacyTorch } from './torchLegacyFile.ts';
import { openZip } from './zip.ts';

/**
 * Opens the safetensors, `.npz` or PyTorch file at `path` and checks everything but its numbers, which are read when asked.
 * @throws file.missing, file.unreadable, file.malformed, also for other kinds of files.
 */
export async function openTensorFile(path: string): Promise<TensorFile> {
  const real = await realFile(path);
  const start = await withFile(real, (file, size) => readBytes(real, file, 0, Math.min(size, 16)));
  if (startsWith(start, [0x50, 0x4b, 3, 4])) return openArchive(real);
  if (startsWith(start, legacyTorchMagic)) return openLegacyTorch(real);
  if (start[8] === 0x7b) return openSafetensors(real);
  throw malformed(real, 'format', 'a safetensors, .npz or PyTorch file', kindOf(start));
}

async function openArchive(path: string): Promise<TensorFile> {
  const archive = await openZip(path);
  return isTorchArchive(archive) ? torchOf(archive) : npzOf(archive);
}

/** A word for files that are often mistaken for one of ours. */
function kindOf(start: Uint8Array): string {
  if (start.length === 0) return 'an empty file';
  if (startsWith(start, [0x47, 0x47, 0x55, 0x46])) return 'a GGUF file, which holds a model';
  if (startsWith(start, [0x80])) return 'a Python pickle without tensors';
  if (startsWith(start, [0x93, 0x4e, 0x55, 0x4d])) return 'a single NumPy array';
  if (startsWith(start, [0x89, 0x48, 0x44, 0x46])) return 'an HDF5 file';
  if (new TextDecoder('latin1').decode(start).startsWith('version ')) {
    return 'the pointer of Git LFS; fetch the file itself';
  }
  return 'something else';
}

function startsWith(bytes: Uint8Array, magic: readonly number[]): boolean {
  return magic.every((byte, i) => bytes[i] === byte);
}
