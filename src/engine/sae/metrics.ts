/** How well an SAE reconstructs: the numbers the field reports, on given text. */

import type { HookName } from '../../shared/domain.ts';
import type { CallOptions, SaeMetrics } from '../../shared/engineApi.ts';
import { EngineError, throwIfCancelled } from '../../shared/errors.ts';
import { floatsOf, type Value } from '../graph/value.ts';
import { replaceEdit } from '../model/edits.ts';
import { locateHook } from '../model/hooks.ts';
import type { Transformer } from '../model/transformer.ts';
import { kindOf, outputHook, type SaeConfig } from './format.ts';
import type { SparseAutoencoder } from './sparseAutoencoder.ts';

/** Sequences that run at once. */
const batchSize = 16;

/**
 * Measures `sae` on `rows` of tokens (equal lengths).
 *
 * - L0: mean number of active features per token.
 * - Fraction of variance explained: `1 − Σ‖x − x̂‖² / Σ‖x − x̄‖²`, x̄ the mean over all tokens.
 * - Cross-entropy recovered: `(CE_zero − CE_sae) / (CE_zero − CE_clean)`, with zero ablation of the hook.
 * - Dead: features that are active on none of the tokens.
 *
 * x is what the output imitates: the hook's value, or that of the hook a transcoder writes. Where the first position
 * shows no features it is left out, and stays as it is in the spliced runs.
 *
 * With `maskFirst` the first position is left out although the SAE shows features there: it is the
 * beginning-of-sequence token.
 *
 * @throws request.invalid for a layer of a cross-layer transcoder, cancelled.
 */
export async function measureSae(
  model: Transformer,
  sae: SparseAutoencoder,
  rows: readonly Int32Array[],
  call: CallOptions & { readonly maskFirst?: boolean } = {},
): Promise<SaeMetrics> {
  const { hookName } = sae.config;
  const maskFirst = call.maskFirst === true || sae.config.maskFirst === true;
  const hook = requireOneOutput(sae.config);
  const spread = new RunningVariance(sae.dOut);
  const fired = new Uint8Array(sae.config.dSae);
  let [tokens, active, squares] = [0, 0, 0];
  const losses = { clean: 0, sae: 0, zero: 0 };
  for (let start = 0; start < rows.length; start += batchSize) {
    throwIfCancelled(call.signal);
    const batch = rows.slice(start, start + batchSize);
    const capture = [...new Set([hookName, hook])];
    const clean = await model.run({ tokens: batch, capture, signal: call.signal });
    const read = clean.hooks.get(hookName)!;
    const value = clean.hooks.get(hook)!;
    const quality = await sae.quality(read, value);
    const counts = countedRows(value.dims, maskFirst);
    for (const row of counts) squares += quality.squares[row]!;
    spread.add(floatsOf(value), counts);
    tokens += counts.length;
    active += countActive(quality.activations, fired, counts);
    const replaced = { ...(await sae.reconstruct(read)), dims: value.dims };
    losses.clean += meanLoss(clean.logits!, batch) * batch.length;
    const place = { hook, dims: value.dims, maskFirst };
    losses.sae += (await lossWith(model, batch, place, replaced)) * batch.length;
    losses.zero += (await lossWith(model, batch, place, 0)) * batch.length;
    call.report?.({ done: start + batch.length, total: rows.length, what: 'Measuring the SAE' });
  }
  return {
    tokens,
    l0: active / tokens,
    explainedVariance: 1 - squares / spread.total(),
    ceRecovered: (losses.zero - losses.sae) / (losses.zero - losses.clean),
    deadFraction: fired.reduce((dead, hit) => dead + (hit ? 0 : 1), 0) / fired.length,
  };
}

/** Mean next-token cross-entropy in nats of logits `[batch, position, d_vocab]`; the last position has no target. */
export function meanLoss(logits: Value, rows: readonly Int32Array[]): number {
  const [, positions = 0, dVocab = 0] = logits.dims;
  const data = floatsOf(logits);
  let sum = 0;
  let count = 0;
  rows.forEach((row, b) => {
    for (let position = 0; position + 1 < positions; position++) {
      const at = (b * positions + position) * dVocab;
      sum += crossEntropy(data.subarray(at, at + dVocab), row[position + 1]!);
      count++;
    }
  });
  return sum / count;
}

function crossEntropy(logits: Float32Array, target: number): number {
  let highest = Number.NEGATIVE_INFINITY;
  for (const logit of logits) if (logit > highest) highest = logit;
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - highest);
  return highest + Math.log(sum) - logits[target]!;
}

/** The hook that is replaced, the dimensions of its value, and whether its first position stays as it is. */
interface Replaced {
  readonly hook: string;
  readonly dims: readonly number[];
  readonly maskFirst: boolean | undefined;
}

async function lossWith(
  model: Transformer,
  tokens: readonly Int32Array[],
  { hook, dims, maskFirst }: Replaced,
  value: Value | number,
): Promise<number> {
  const positions = maskFirst ? Array.from({ length: dims[1]! - 1 }, (_, i) => i + 1) : undefined;
  const place = locateHook(hook, model.config.nLayers).hook;
  const edit = replaceEdit(hook, place, dims, { positions }, value);
  const { logits } = await model.run({ tokens, edits: [edit] });
  return meanLoss(logits!, tokens);
}

/** Several layers' outputs cannot be judged one by one: all layers of a cross-layer transcoder add up to them. */
function requireOneOutput(config: SaeConfig): HookName {
  const hook = outputHook(config);
  if (hook !== undefined && kindOf(config) !== 'crossLayer') return hook;
  throw new EngineError('request.invalid', {
    what: 'A layer of a cross-layer transcoder',
    reason: 'its output is only a part of what all layers write together, so it cannot be measured by itself',
  });
}

/** Rows of a value `[batch, position, …]` that numbers are made of: all, or those behind each first position. */
export function countedRows([batch = 1, positions = 1]: readonly number[], maskFirst: boolean): number[] {
  const rows = Array.from({ length: batch * positions }, (_, row) => row);
  return maskFirst ? rows.filter((row) => row % positions !== 0) : rows;
}

/** Active features of the given rows, counted; `fired` takes down which they were. */
function countActive(activations: Float32Array, fired: Uint8Array, rows: readonly number[]): number {
  let count = 0;
  for (const row of rows) {
    for (let feature = 0; feature < fired.length; feature++) {
      // Negative ones count too: TopK without a clamp has some.
      if (activations[row * fired.length + feature] === 0) continue;
      count++;
      fired[feature] = 1;
    }
  }
  return count;
}

/** Σ‖x − x̄‖² over rows that arrive in pieces. */
export class RunningVariance {
  private readonly sums: Float64Array;
  private readonly squares: Float64Array;
  private count = 0;

  constructor(private readonly width: number) {
    this.sums = new Float64Array(width);
    this.squares = new Float64Array(width);
  }

  /** Takes in the given rows of `data` `[row, width]`. */
  add(data: Float32Array, rows: readonly number[]): void {
    for (const row of rows) {
      for (let column = 0; column < this.width; column++) {
        const x = data[row * this.width + column]!;
        this.sums[column]! += x;
        this.squares[column]! += x * x;
      }
    }
    this.count += rows.length;
  }

  total(): number {
    let total = 0;
    for (let i = 0; i < this.width; i++) total += this.squares[i]! - this.sums[i]! ** 2 / this.count;
    return total;
  }
}
