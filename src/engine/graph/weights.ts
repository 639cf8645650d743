/** Decides where a compiled program finds its stored weights: in place, or copied when it cannot. */

import { open, realpath, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { EngineError } from '../../shared/errors.ts';
import { stampOf } from '../files/fileStamp.ts';
import type { WeightPlace } from './onnx.ts';
import type { SourceAttributes, StoredBytes } from './tensor.ts';

type Weight = SourceAttributes['Parameter'];

export interface PlacedWeights {
  /** The folder whose files are read in place; undefined when no weight is. */
  readonly folder: string | undefined;
  /** By the weight's name. */
  readonly places: ReadonlyMap<string, WeightPlace>;
}

/** Weights outside the main folder are copied up to this many bytes in all. */
const copyLimit = 64 * 2 ** 20;

/** The runtime maps weights in place only where they start at a multiple of this. */
const alignment = 8;

/**
 * Finds a place for each weight. The runtime reads files of one folder in place and refuses links that
 * lead out of it, so links are resolved first and the folder with most bytes is chosen.
 *
 * @throws EngineError 'file.missing', 'file.unreadable', 'file.malformed' when a file is too short, or 'file.changed' when it is
 * not the one that the weights were located in.
 */
export async function placeWeights(weights: readonly Weight[]): Promise<PlacedWeights> {
  const realPaths = new Map<string, string>();
  for (const file of new Set(weights.map((weight) => weight.file))) {
    realPaths.set(file, await checkedPath(file, weights));
  }
  const folder = heaviestFolder(weights, realPaths);
  const places = new Map<string, WeightPlace>();
  let copied = 0;
  for (const weight of weights) {
    const path = realPaths.get(weight.file)!;
    if (dirname(path) === folder && weight.offset % alignment === 0) {
      places.set(weight.name, { fileName: basename(path) });
      continue;
    }
    copied += weight.length;
    if (copied > copyLimit) {
      throw new EngineError('request.invalid', {
        what: weight.file,
        reason: `its weights cannot be read in place beside those in ${folder}. Put the files in one folder`,
      });
    }
    places.set(weight.name, { bytes: await readBytes(path, weight) });
  }
  return { folder, places };
}

/** The file behind `file`, once it is known to be the one that was opened and to hold every byte that is asked of it. */
async function checkedPath(file: string, weights: readonly Weight[]): Promise<string> {
  try {
    const path = await realpath(file);
    const stats = await stat(path);
    const { size } = stats;
    const inside = weights.filter((weight) => weight.file === file);
    const stamp = stampOf(stats);
    if (inside.some((weight) => weight.stamp !== undefined && weight.stamp !== stamp)) {
      throw new EngineError('file.changed', { path: file });
    }
    const end = Math.max(...inside.map(({ offset, length }) => offset + length));
    if (size >= end) return path;
    throw new EngineError('file.malformed', {
      path: file,
      field: 'the length',
      expected: `at least ${end} bytes`,
      found: `${size} bytes`,
    });
  } catch (error) {
    if (error instanceof EngineError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw new EngineError('file.missing', { path: file });
    throw new EngineError('file.unreadable', { path: file, reason: message });
  }
}

function heaviestFolder(
  weights: readonly Weight[],
  realPaths: ReadonlyMap<string, string>,
): string | undefined {
  const bytes = new Map<string, number>();
  for (const { file, length } of weights) {
    const folder = dirname(realPaths.get(file)!);
    bytes.set(folder, (bytes.get(folder) ?? 0) + length);
  }
  return [...bytes].sort((a, b) => b[1] - a[1])[0]?.[0];
}

async function readBytes(path: string, { offset, length }: StoredBytes): Promise<Uint8Array> {
  const file = await open(path);
  try {
    const bytes = new Uint8Array(length);
    await file.read(bytes, 0, length, offset);
    return bytes;
  } finally {
    await file.close();
  }
}
