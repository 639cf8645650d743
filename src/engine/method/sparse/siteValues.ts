/** What sites hold on the two prompts of pairs: which features are active, and how they and the errors differ. */
import { throwIfCancelled } from '../../../shared/errors.ts';
import { type FloatValue, floatsOf, type Value } from '../../graph/value.ts';
import type { Transformer } from '../../model/transformer.ts';
import type { PairBatch } from '../pairBatches.ts';
import type { Code, Directions } from './dictionary.ts';
import type { SparseSite } from './sparseSites.ts';

/** Features that are active on the clean or the corrupted prompt, row by row; entry by entry. */
export interface ActiveFeatures {
  /** Where the entries of each row begin, and at the end their number: `[row + 1]`. */
  readonly starts: Int32Array;
  readonly features: Int32Array;
  /** Activation on the clean prompt, and what takes it to the one on the corrupted prompt. */
  readonly clean: Float32Array;
  readonly change: Float32Array;
}

/** One site on a batch of pairs of equal length. Rows are positions, pair after pair. */
export interface SiteValues {
  readonly site: SparseSite;
  /** On the clean prompts: `[pair, position, d_model]`. */
  readonly value: Value;
  readonly active: ActiveFeatures;
  /** Directions of all features in `active`. */
  readonly directions: Directions;
  /** What a unit of a feature writes on the clean prompt: `[row]`. */
  readonly scales: Float32Array;
  /** ε' − ε, `[row, d_model]`; absent where nothing is left over. */
  readonly errorChange?: Float32Array;
}

/** Both runs of a batch. */
export interface BatchRun {
  readonly batch: PairBatch;
  /** Streams of the clean run. */
  readonly residuals: readonly Value[];
  /** Last logits of the clean run: `[pair, 1, d_vocab]`. */
  readonly logits: Value;
  readonly sites: readonly SiteValues[];
}

/** Runs both prompts of every pair once. */
export async function runBatch(
  model: Transformer,
  sites: readonly SparseSite[],
  batch: PairBatch,
  signal?: AbortSignal,
): Promise<BatchRun> {
  const capture = sites.map(({ hook }) => hook);
  const clean = await model.run({ tokens: batch.clean, capture, logits: 'last', signal });
  const corrupted = await model.run({ tokens: batch.corrupted, capture, logits: 'none', signal });
  const values: SiteValues[] = [];
  for (const site of sites) {
    throwIfCancelled(signal);
    values.push(await siteValues(site, clean.hooks.get(site.hook)!, corrupted.hooks.get(site.hook)!));
  }
  return { batch, residuals: clean.residuals as readonly Value[], logits: clean.logits!, sites: values };
}

async function siteValues(site: SparseSite, value: Value, other: Value): Promise<SiteValues> {
  const { dictionary } = site;
  const [clean, corrupted] = [await dictionary.code(value), await dictionary.code(other)];
  const active = activeFeatures(clean, corrupted, dictionary.width);
  const errorChange = clean.errors?.map((x, i) => corrupted.errors![i]! - x);
  return {
    site,
    value,
    active,
    directions: await dictionary.directions([...new Set(active.features)].sort((a, b) => a - b)),
    scales: clean.scales,
    ...(errorChange && { errorChange }),
  };
}

function activeFeatures(clean: Code, corrupted: Code, width: number): ActiveFeatures {
  const rows = clean.scales.length;
  const [a, b] = [clean.activations, corrupted.activations];
  const starts = new Int32Array(rows + 1);
  let count = 0;
  for (let row = 0; row < rows; row++) {
    for (let i = row * width; i < (row + 1) * width; i++) if (a[i] !== 0 || b[i] !== 0) count++;
    starts[row + 1] = count;
  }
  const features = new Int32Array(count);
  const [now, change] = [new Float32Array(count), new Float32Array(count)];
  let at = 0;
  for (let i = 0; i < a.length; i++) {
    if (a[i] === 0 && b[i] === 0) continue;
    features[at] = i % width;
    now[at] = a[i]!;
    change[at] = b[i]! - a[i]!;
    at++;
  }
  return { starts, features, clean: now, change };
}

/** Visits the active features of a row. */
export function visitRow(
  { starts, features }: ActiveFeatures,
  row: number,
  visit: (entry: number, feature: number) => void,
): void {
  for (let entry = starts[row]!; entry < starts[row + 1]!; entry++) visit(entry, features[entry]!);
}

/** The site's value with all features and the error at those of the corrupted prompt, scales staying as they are. */
export function patchedValue({ value, active, directions, scales, errorChange }: SiteValues): FloatValue {
  const data = floatsOf(value).slice();
  const width = data.length / scales.length;
  for (let row = 0; row < scales.length; row++) {
    visitRow(active, row, (entry, feature) => {
      directions.addTo(feature, scales[row]! * active.change[entry]!, data, row * width);
    });
  }
  errorChange?.forEach((x, i) => {
    data[i]! += x;
  });
  return { dtype: 'float32', dims: value.dims, data };
}
