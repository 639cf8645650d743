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
import { type CompiledProgram, compile } from '../graph/session.ts';
import { input } from '../graph/sources.ts';
import { floatValue, intValue } from '../graph/value.ts';
import type { ModelStages } from './families/family.ts';
import { HookSites } from './hookSites.ts';
import type { WidthSizes } from './hooks.ts';

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

/** The final norm and unembedding of one model, applied to any rows of `[row, d_model]`. */
export class Readout {
  private readonly programs = new Map<number, Promise<CompiledProgram>>();

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
    const session = await this.cached(kept, () => this.build(kept));
    const out = await session.run({
      rows: floatValue(rows, [1, count, dModel]),
      targets: intValue(targets ?? new Int32Array(count), [count, 1]),
    });
    return {
      k: kept,
      ids: out.ids?.data as Int32Array,
      logits: out.logits?.data as Float32Array,
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
    const session = await this.cached(-1, () => {
      const row = input('row', 'float32', [1, 1, this.widths.dModel]);
      return program({ logits: this.stages.unembed(row) });
    });
    const out = await session.run({ row: floatValue(direction, [1, 1, this.widths.dModel]) });
    const logits = out.logits?.data as Float32Array;
    const order = Array.from(logits.keys()).sort((a, b) => logits[b]! - logits[a]!);
    const named = (id: number): TokenLogit => ({ id, text: tokenText(id), logit: logits[id]! });
    return {
      topLogits: order.slice(0, top).map(named),
      bottomLogits: order.slice(-top).reverse().map(named),
    };
  }

  /** Frees the native memory. */
  async release(): Promise<void> {
    const sessions = [...this.programs.values()];
    this.programs.clear();
    for (const session of sessions) await (await session).release();
  }

  private cached(key: number, build: () => Program): Promise<CompiledProgram> {
    let session = this.programs.get(key);
    if (!session) {
      session = compile(build(), { threads: this.threads, prepacking: false });
      this.programs.set(key, session);
      session.catch(() => this.programs.delete(key));
    }
    return session;
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
