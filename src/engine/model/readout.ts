/**
 * Reads the residual stream out as next-token predictions: final norm, unembedding, and the best tokens,
 * picked inside the program so that whole rows of logits never cross into JavaScript.
 */

import type { TokenLogit } from '../../shared/domain.ts';
import { add, cast, exp, log, sub } from '../graph/ops/elementwise.ts';
import { reshape } from '../graph/ops/layout.ts';
import { gatherElements, topK } from '../graph/ops/picking.ts';
import { reduceMax, reduceSum } from '../graph/ops/reduction.ts';
import { type Program, program } from '../graph/program.ts';
import { compile } from '../graph/session.ts';
import { input } from '../graph/sources.ts';
import { floatValue, intValue, type Value } from '../graph/value.ts';
import type { ModelStages } from './families/family.ts';
import { HookSites } from './hookSites.ts';
import type { WidthSizes } from './hooks.ts';
import { ProgramCache } from './programCache.ts';

/** Predictions after each row of the residual stream. */
export interface RowPredictions {
  readonly k: number;
  /** `[row, k]`, most probable first. */
  readonly ids: Int32Array;
  /** `[row, k]`. */
  readonly logits: Float32Array;
  /** `[row]`: log Σ exp(logit), so that `log p = logit − logSumExp`. */
  readonly logSumExp: Float32Array;
  /** `[row]`: logit of the row's target token. */
  readonly targetLogits: Float32Array;
}

/** Programs that stay compiled: one for each number of predictions that is asked for, and one for directions. */
const keptPrograms = 4;

/** The final norm and unembedding of one model, applied to any rows of `[row, d_model]`. */
export class Readout {
  private readonly programs = new ProgramCache(keptPrograms);

  constructor(
    private readonly stages: ModelStages,
    private readonly widths: WidthSizes,
    private readonly threads?: number,
  ) {}

  /** The `k` best next tokens after each row, and the logit of `targets[row]`. */
  async predict(rows: Float32Array, k: number, targets?: Int32Array): Promise<RowPredictions> {
    const { dModel, dVocab } = this.widths;
    const count = rows.length / dModel;
    const kept = Math.min(k, dVocab);
    // Numbers near each other share a program, since each one may hold an unembedding of its own.
    const built = Math.min(Math.max(16, 2 ** Math.ceil(Math.log2(k))), dVocab);
    const out = await this.run(`best ${built}`, () => this.build(built), {
      rows: floatValue(rows, [1, count, dModel]),
      targets: intValue(targets ?? new Int32Array(count), [count, 1]),
    });
    return {
      k: kept,
      ids: firstColumns(out.ids?.data as Int32Array, built, kept),
      logits: firstColumns(out.logits?.data as Float32Array, built, kept),
      logSumExp: out.logSumExp?.data as Float32Array,
      targetLogits: out.targetLogits?.data as Float32Array,
    };
  }

  /**
   * Logits that a direction `[d_model]` of the residual stream adds by itself, without the final norm:
   * `direction · W_U`. The `top` highest and lowest tokens.
   */
  async directionLogits(
    direction: Float32Array,
    top: number,
    { tokenText }: { tokenText(id: number): string },
  ): Promise<{ topLogits: TokenLogit[]; bottomLogits: TokenLogit[] }> {
    const dims = [1, 1, this.widths.dModel];
    const build = () => program({ logits: this.stages.project(input('row', 'float32', dims)) });
    const out = await this.run('direction', build, { row: floatValue(direction, dims) });
    const logits = out.logits?.data as Float32Array;
    const order = Array.from(logits.keys()).sort((a, b) => logits[b]! - logits[a]!);
    const named = (id: number): TokenLogit => ({ id, text: tokenText(id), logit: logits[id]! });
    return {
      topLogits: order.slice(0, top).map(named),
      bottomLogits: order.slice(-top).reverse().map(named),
    };
  }

  /** Frees the native memory. */
  release(): Promise<void> {
    return this.programs.release();
  }

  private run(
    key: string,
    build: () => Program,
    feeds: Readonly<Record<string, Value>>,
  ): Promise<Record<string, Value>> {
    const compiled = () => compile(build(), { threads: this.threads, prepacking: false });
    return this.programs.use(key, compiled, (ready) => ready.run(feeds));
  }

  private build(k: number): Program {
    const { dModel, dVocab } = this.widths;
    const rows = input('rows', 'float32', [1, 'row', dModel]);
    const sites = new HookSites({ reads: new Set(), edits: [], gradients: new Set() }, this.widths, 'row');
    const logits = reshape(this.stages.unembed(this.stages.finalNorm(sites, rows)), ['row', dVocab]);
    const best = topK(logits, k);
    const highest = reduceMax(logits, [1], { keepDims: true });
    const sum = reduceSum(exp(sub(logits, highest)), [1], { keepDims: true });
    const targets = input('targets', 'int32', ['row', 1]);
    return program({
      ids: cast(best.indices, 'int32'),
      logits: best.values,
      logSumExp: reshape(add(log(sum), highest), ['row']),
      targetLogits: reshape(gatherElements(logits, targets, 1), ['row']),
    });
  }
}

/** The first `kept` columns of rows of `width`. */
function firstColumns<A extends Int32Array | Float32Array>(rows: A, width: number, kept: number): A {
  return kept === width ? rows : (rows.filter((_, i) => i % width < kept) as A);
}
