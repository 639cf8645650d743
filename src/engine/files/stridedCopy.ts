/** Copies numbers that a file lays out by strides (transposed views, Fortran order, other byte order) into plain row-major order. */
import { allocateBytes } from './regularFile.ts';

/**
 * The elements of a view of `source` in row-major order of `shape`. `strides` and `start` count elements of `size`
 * bytes; that the view lies inside the source is the caller's to check.
 */
export function gatherStrided(
  path: string,
  source: Uint8Array,
  size: number,
  shape: readonly number[],
  strides: readonly number[],
  start: number,
): Uint8Array<ArrayBuffer> {
  const count = shape.reduce((product, dim) => product * dim, 1);
  const target = allocateBytes(path, count * size);
  const copy = { from: wordsOf(source, size), to: wordsOf(target, size), words: size === 8 ? 2 : 1 };
  const [rows, columns] = [shape.at(-2) ?? 1, shape.at(-1) ?? 1];
  const matrix = { rows, columns, rowStride: strides.at(-2) ?? 0, columnStride: strides.at(-1) ?? 0 };
  const index = new Array<number>(Math.max(0, shape.length - 2)).fill(0);
  let at = start;
  for (let done = 0; done < count; done += rows * columns) {
    copyMatrix(copy, matrix, at, done);
    for (let axis = index.length - 1; axis >= 0; axis--) {
      index[axis]! += 1;
      at += strides[axis]!;
      if (index[axis]! < shape[axis]!) break;
      at -= strides[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
  return target;
}

type Words = Uint8Array | Uint16Array | Uint32Array;

/** Rows and columns of a tile, so that a transposed matrix is walked through in pieces that the processor's cache holds. */
const tile = 32;

/** Copies the last two axes of a view: from element `start` of the source to element `done` of the target. */
function copyMatrix(
  { from, to, words }: { readonly from: Words; readonly to: Words; readonly words: number },
  {
    rows,
    columns,
    rowStride,
    columnStride,
  }: {
    readonly rows: number;
    readonly columns: number;
    readonly rowStride: number;
    readonly columnStride: number;
  },
  start: number,
  done: number,
): void {
  const tiles = Math.ceil(rows / tile) * Math.ceil(columns / tile);
  for (let i = 0; i < tiles; i++) {
    const top = Math.floor(i / Math.ceil(columns / tile)) * tile;
    const left = (i % Math.ceil(columns / tile)) * tile;
    const [bottom, right] = [Math.min(rows, top + tile), Math.min(columns, left + tile)];
    for (let row = top; row < bottom; row++) {
      for (let column = left; column < right; column++) {
        const source = (start + row * rowStride + column * columnStride) * words;
        const target = (done + row * columns + column) * words;
        to[target] = from[source]!;
        if (words === 2) to[target + 1] = from[source + 1]!;
      }
    }
  }
}

/** `bytes` as words of the element's size, or of four bytes for elements of eight; copied only when they lie unevenly. */
function wordsOf(bytes: Uint8Array, size: number): Words {
  const { buffer, byteOffset, length } = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  if (size === 1) return new Uint8Array(buffer, byteOffset, length);
  if (size === 2) return new Uint16Array(buffer, byteOffset, length / 2);
  return new Uint32Array(buffer, byteOffset, length / 4);
}

/** Turns every element of `size` bytes round, in place. */
export function swapBytes(bytes: Uint8Array, size: number): void {
  for (let i = 0; size > 1 && i + size <= bytes.length; i += size) bytes.subarray(i, i + size).reverse();
}
