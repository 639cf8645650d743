/** How well an SAE reconstructs values that are given, in the numbers by which the field judges it. */

import { type FloatValue, floatsOf, floatValue, type Value } from '../../graph/value.ts';
import type { SparseAutoencoder } from '../sparseAutoencoder.ts';

/** Activations that are held at once; 64 MB. */
const activationsAtOnce = 16 * 2 ** 20;

/** What was captured for one row of tokens. */
export interface CheckedRow {
  /** `[1, position, …]`. */
  readonly x: Value;
  /** What the output imitates, `[1, position, …]`; the same as `x` for an SAE. */
  readonly y: Value;
}

/** See `SaeReading` for the numbers. */
export interface Reconstruction {
  readonly explainedVariance: number;
  readonly l0: number;
  readonly cosine: number;
}

/** Where counting begins in each row: 1 leaves the first position out. */
export type FirstCounted = 0 | 1;

/**
 * Measures `sae` on rows.
 *
 * The first position of a prompt can have a norm many times that of any other (GPT-2's has), and would then decide
 * the fraction of variance explained alone, in either direction. Where it is counted, the lower one of two fractions is
 * told: with it and without it.
 */
export async function reconstruction(
  sae: SparseAutoencoder,
  rows: readonly CheckedRow[],
  first: FirstCounted,
): Promise<Reconstruction> {
  const all = new Spread(sae.dOut);
  const rest = new Spread(sae.dOut);
  let [cosines, active] = [0, 0];
  for (const row of rows) {
    const wanted = floatsOf(row.y);
    for await (const { start, features, predicted } of readInPieces(sae, row.x)) {
      const count = features.dims[0]!;
      for (let i = Math.max(0, first - start); i < count; i++) {
        const target = rowOf(wanted, start + i, sae.dOut);
        const guess = rowOf(predicted.data, i, sae.dOut);
        all.add(target, guess);
        if (start + i > 0) rest.add(target, guess);
        cosines += cosine(target, guess);
        active += activeFeatures(features, i);
      }
    }
  }
  return {
    explainedVariance: Math.min(all.explained(), rest.explained()),
    l0: active / all.count,
    cosine: cosines / all.count,
  };
}

/** What the SAE makes of some positions of a row. */
interface Piece {
  readonly start: number;
  /** `[position, d_sae]`. */
  readonly features: FloatValue;
  /** `[position, d_out]`. */
  readonly predicted: FloatValue;
}

/** Few positions at a time for a wide SAE, so that its activations stay small. */
async function* readInPieces(sae: SparseAutoencoder, x: Value): AsyncGenerator<Piece> {
  const { dIn, dSae } = sae.config;
  const data = floatsOf(x);
  const positions = data.length / dIn;
  const length = Math.max(1, Math.floor(activationsAtOnce / dSae));
  for (let start = 0; start < positions; start += length) {
    const end = Math.min(start + length, positions);
    const rows = data.subarray(start * dIn, end * dIn);
    // Only what begins with the first position is told as positions: later ones are shown in any case.
    const value = floatValue(rows, start === 0 ? [1, end, dIn] : [end - start, dIn]);
    const { activations, reconstruction: predicted } = await sae.coded(value);
    yield { start, features: activations, predicted };
  }
}

/** Mean norm and root mean square norm of the rows of `x`, from position `first` on. */
export function norms(
  rows: readonly CheckedRow[],
  width: number,
  first: FirstCounted,
): { readonly meanNorm: number; readonly rootMeanSquareNorm: number } {
  let [sum, squares, count] = [0, 0, 0];
  for (const { x } of rows) {
    const data = floatsOf(x);
    for (let position = first; position < data.length / width; position++) {
      const square = dot(rowOf(data, position, width), rowOf(data, position, width));
      sum += Math.sqrt(square);
      squares += square;
      count++;
    }
  }
  return { meanNorm: sum / count, rootMeanSquareNorm: Math.sqrt(squares / count) };
}

function rowOf(data: Float32Array, row: number, width: number): Float32Array {
  return data.subarray(row * width, (row + 1) * width);
}

function activeFeatures(activations: FloatValue, row: number): number {
  let count = 0;
  for (const value of rowOf(activations.data, row, activations.dims[1]!)) if (value !== 0) count++;
  return count;
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/** 0 where one of the two is zero. */
function cosine(a: Float32Array, b: Float32Array): number {
  const lengths = Math.sqrt(dot(a, a) * dot(b, b));
  return lengths > 0 ? dot(a, b) / lengths : 0;
}

/** 1 − Σ‖y − ŷ‖² / Σ‖y − ȳ‖² over rows that arrive one by one. */
class Spread {
  count = 0;
  private residual = 0;
  private squares = 0;
  private readonly sums: Float64Array;

  constructor(width: number) {
    this.sums = new Float64Array(width);
  }

  add(target: Float32Array, guess: Float32Array): void {
    this.count++;
    for (let i = 0; i < target.length; i++) {
      const value = target[i]!;
      this.residual += (value - guess[i]!) ** 2;
      this.squares += value ** 2;
      this.sums[i]! += value;
    }
  }

  explained(): number {
    const mean = this.sums.reduce((sum, value) => sum + value ** 2, 0) / this.count;
    return 1 - this.residual / (this.squares - mean);
  }
}
