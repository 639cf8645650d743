/**
 * How much of a metric the nodes of a circuit carry (Marks et al. 2024, §3.3): all other features and errors are set to their
 * mean over the corrupted prompts at the same position, and the rest is computed anew. Faithfulness is
 * `(m(C) − m(∅)) / (m(M) − m(∅))`, completeness the same of everything but the circuit. Embeddings and the layers below
 * `startLayer` stay as they are in every run, with the circuit, without it, and with nothing: were they ablated, nothing
 * behind them could tell prompts apart, and no circuit could be found incomplete.
 */
import type { CallOptions } from '../../../shared/callOptions.ts';
import type { ErrorTreatment } from '../../../shared/sparseCircuitApi.ts';
import type { TaskMetric } from '../../../shared/task.ts';
import { type FloatValue, floatValue, type Value } from '../../graph/value.ts';
import type { Transformer } from '../../model/transformer.ts';
import { metricValues, normalized } from '../../task/metric.ts';
import type { TokenPair } from '../../task/task.ts';
import { type PairBatch, pairBatches } from '../pairBatches.ts';
import { repeatRows } from '../rowValues.ts';
import type { Code } from './dictionary.ts';
import { complementOf, maskOf, type NodeMask } from './nodeMask.ts';
import { type SiteMean, type SiteMeans, siteMeans } from './siteMeans.ts';
import { mostRows, type SparseSite, unitsOf } from './sparseSites.ts';
import { splicedLogits } from './splicedRun.ts';

export interface EvaluationSubject {
  readonly model: Transformer;
  readonly sites: readonly SparseSite[];
  /** Pairs that circuits are tested on. */
  readonly pairs: readonly TokenPair[];
  /** Pairs whose corrupted prompts the means are taken over. */
  readonly reference: readonly TokenPair[];
  readonly metric: TaskMetric;
  /** Sites below are never ablated, nor are embeddings. */
  readonly startLayer: number;
}

/** The metric of all of the model, of nothing, of the circuit and of its complement. */
export interface MaskEvaluation {
  readonly full: number;
  readonly empty: number;
  readonly circuit: number;
  readonly complement: number;
  readonly faithfulness: number;
  readonly completeness: number;
}

/** Tokens that run side by side. */
const runTokens = 4096;

interface TestBatch extends PairBatch {
  /** Last logits of the clean run, which divergences are measured from. */
  readonly logits: Value;
}

/** Keeps what circuits of one task share: the clean runs' outcome and the means. */
export class SparseEvaluator {
  private constructor(
    private readonly subject: EvaluationSubject,
    private readonly batches: readonly TestBatch[],
    private readonly means: SiteMeans,
    /** The metric of the whole model, and with every node ablated. */
    readonly full: number,
    readonly empty: number,
  ) {}

  /** Runs all prompts once. */
  static async open(subject: EvaluationSubject, call: CallOptions = {}): Promise<SparseEvaluator> {
    const { model, sites, pairs, reference, metric, startLayer } = subject;
    const corrupted = reference.map((pair) => pair.corrupted);
    const means = await siteMeans(model, sites, { prompts: corrupted, startLayer }, call);
    const batches: TestBatch[] = [];
    let full = 0;
    for (const batch of pairBatches(pairs, Math.min(runTokens, mostRows(sites)))) {
      const { logits } = await model.run({ tokens: batch.clean, logits: 'last', signal: call.signal });
      batches.push({ ...batch, logits: logits! });
      full += total(metricValues(metric, logits!, batch.pairs, logits)) / pairs.length;
    }
    const bare = new SparseEvaluator(subject, batches, means, full, 0);
    const [empty = Number.NaN] = await bare.metricOf([maskOf(sites, 1, [])], call);
    return new SparseEvaluator(subject, batches, means, full, empty);
  }

  /** Pairs that circuits are tested on. */
  get pairs(): number {
    return this.subject.pairs.length;
  }

  /** Prompts behind a mean, where they are fewest. */
  get leastReference(): number {
    const lengths = this.subject.pairs.map(({ clean }) => clean.length);
    return Math.min(...lengths.map((length) => this.means.get(length)!.prompts));
  }

  /** Memory that it takes, in bytes. */
  get bytes(): number {
    const ofMeans = [...this.means.values()]
      .flatMap(({ sites }) => sites)
      .reduce((sum, mean) => sum + (mean ? mean.activations.length + (mean.errors?.length ?? 0) : 0), 0);
    return 4 * this.batches.reduce((sum, { logits }) => sum + logits.data.length, ofMeans);
  }

  /** Tests circuits, as many side by side as fit. `errors` is how the masks were made. */
  async evaluate(
    masks: readonly NodeMask[],
    errors: ErrorTreatment = 'circuit',
    call: CallOptions = {},
  ): Promise<MaskEvaluation[]> {
    const { full, empty } = this;
    const rest = masks.map((mask) => complementOf(this.subject.sites, mask, errors));
    const values = await this.metricOf([...masks, ...rest], call);
    const share = (value: number): number =>
      normalized(value, { clean: full, corrupted: empty }) ?? Number.NaN;
    return masks.map((_, i) => {
      const [circuit, complement] = [values[i]!, values[masks.length + i]!];
      const faithfulness = share(circuit);
      return { full, empty, circuit, complement, faithfulness, completeness: share(complement) };
    });
  }

  /** The mean metric with the nodes of each mask. */
  private async metricOf(masks: readonly NodeMask[], { signal, report }: CallOptions): Promise<Float64Array> {
    const { model, sites, pairs, metric } = this.subject;
    const totals = new Float64Array(masks.length);
    let done = 0;
    for (const batch of this.batches) {
      const tokens = batch.pairs.length * batch.length;
      const size = Math.max(1, Math.floor(Math.min(runTokens, mostRows(sites)) / tokens));
      for (let start = 0; start < masks.length; start += size) {
        const part = masks.slice(start, start + size);
        const logits = await splicedLogits(model, {
          tokens: batch.clean,
          copies: part.length,
          sites,
          change: (site, value) => this.ablated(site, value, { part, length: batch.length }),
          signal,
        });
        const repeated = part.flatMap(() => batch.pairs);
        const found = metricValues(metric, logits, repeated, repeatRows(batch.logits, part.length));
        found.forEach((value, i) => {
          totals[start + Math.floor(i / batch.pairs.length)]! += value / pairs.length;
        });
        done += part.length * batch.pairs.length;
        report?.({ done, total: masks.length * pairs.length, what: 'Testing circuits' });
      }
    }
    return totals;
  }

  /** A site's value with the nodes outside each copy's mask at their means. */
  private async ablated(
    index: number,
    value: FloatValue,
    { part, length }: { readonly part: readonly NodeMask[]; readonly length: number },
  ): Promise<FloatValue> {
    const site = this.subject.sites[index]!;
    const mean = this.means.get(length)!.sites[index];
    if (!mean) return value;
    const { dictionary } = site;
    const code = await dictionary.code(value);
    const { width } = dictionary;
    const rows = code.scales.length;
    const [change, result] = [new Float32Array(rows * width), value.data.slice()];
    const values = { change, result, code, mean, width, dModel: result.length / rows };
    const units = unitsOf(site);
    for (let row = 0; row < rows; row++) {
      const { places, kept } = part[Math.floor((row * part.length) / rows)]!;
      const position = row % length;
      const start = (places === 1 ? 0 : position) * units;
      changeRow(values, kept[index]!.subarray(start, start + units), row, position);
    }
    if (width === 0) return floatValue(result, value.dims);
    const write = await dictionary.write(value, change);
    for (let i = 0; i < result.length; i++) result[i]! += write[i]!;
    return floatValue(result, value.dims);
  }
}

interface SiteRows {
  /** `[row, feature]`, to be filled. */
  readonly change: Float32Array;
  /** `[row, d_model]`: the site's value, to be changed. */
  readonly result: Float32Array;
  readonly code: Code;
  readonly mean: SiteMean;
  /** Features of the site, and numbers in a row of its value. */
  readonly width: number;
  readonly dModel: number;
}

/** Notes what takes a row's features outside the mask to their means, and makes the change of its error. */
function changeRow(values: SiteRows, mask: Uint8Array, row: number, position: number): void {
  const { change, result, code, mean, width, dModel } = values;
  for (let unit = 0; unit < width; unit++) {
    if (mask[unit]) continue;
    const at = row * width + unit;
    change[at] = mean.activations[position * width + unit]! - code.activations[at]!;
  }
  if (!code.errors || mask[width]) return;
  for (let d = 0; d < dModel; d++) {
    const at = row * dModel + d;
    result[at]! += mean.errors![position * dModel + d]! - code.errors[at]!;
  }
}

function total(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0);
}
