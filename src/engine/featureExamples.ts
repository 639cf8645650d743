/** The stretches of text in which features are strongest, found once for each SAE and kept while it is open. */

import { stat } from 'node:fs/promises';
import type { CallOptions } from '../shared/callOptions.ts';
import type { FeatureRef } from '../shared/domain.ts';
import { EngineError, throwIfCancelled } from '../shared/errors.ts';
import type { FeatureExample } from '../shared/shiftApi.ts';
import { fileError } from './files/fileErrors.ts';
import { floatsOf, type Value } from './graph/value.ts';
import type { LoadedModel } from './loadedModel.ts';
import { locateModelHook } from './model/modelHooks.ts';
import { batchesByLength } from './model/tokenBatches.ts';
import { requireCount } from './requestChecks.ts';
import type { SparseAutoencoder } from './sae/sparseAutoencoder.ts';
import { corpus, type TextKindName, textKinds } from './task/corpus.ts';
import { readDocuments } from './training/trainSaeOnModel.ts';

/** What is needed of the engine. */
export interface ExamplesContext {
  readonly model: LoadedModel;
  openSae(id: string): Promise<SparseAutoencoder>;
}

interface ExamplesRequest {
  readonly features: readonly FeatureRef[];
  readonly count: number;
  readonly files?: readonly string[];
}

/** Tokens that are searched at most, and of one row. */
const mostTokens = 10_000;
const rowLength = 128;

/** The same for those who reckon what it takes. */
export const exampleSearch = { tokens: mostTokens, rowLength } as const;

/** Rows remembered for each feature; more examples are not given. */
export const mostExamples = 10;
const remembered = 24;

/** Tokens shown before and behind the strongest one. */
const before = 10;
const behind = 6;

/** Activations `[row, feature]` that are in memory at once. */
const mostActivations = 2 ** 23;

/** Where each feature of one SAE is strongest: the best rows, strongest first. */
interface Peaks {
  readonly key: string;
  readonly rows: readonly Int32Array[];
  /** `[feature, remembered]`; 0 where the feature is active in fewer rows. */
  readonly activations: Float32Array;
  /** `[feature, remembered]`: row of the maximum, and its position. */
  readonly row: Int32Array;
  readonly position: Int32Array;
}

/** Finds examples; see `ShiftApi.featureExamples`. */
export class FeatureExamples {
  /** Of the texts searched last. An SAE that is read anew is another object. */
  private readonly found = new WeakMap<SparseAutoencoder, Peaks>();

  /** @throws request.invalid, file.missing, handle.unknown, cancelled */
  async of(
    context: ExamplesContext,
    { features, count, files = [] }: ExamplesRequest,
    call: CallOptions = {},
  ): Promise<readonly (readonly FeatureExample[])[]> {
    requireCount('The number of examples', count, 1);
    const key = await textKey(context.model, files);
    const answers: FeatureExample[][] = features.map(() => []);
    const ids = [...new Set(features.map(({ sae }) => sae))];
    for (const [i, id] of ids.entries()) {
      const sae = await context.openSae(id);
      const places = features.flatMap((feature, place) => (feature.sae === id ? [place] : []));
      for (const place of places) requireFeature(sae, features[place]!.index);
      const peaks = await this.peaks(context.model, sae, key, files, shareOf(call, i, ids.length));
      const rowValue = rowValues(context.model, sae, peaks, call.signal);
      for (const [done, place] of places.entries()) {
        throwIfCancelled(call.signal);
        const { index } = features[place]!;
        answers[place] = await examplesAt(
          { model: context.model, sae, peaks, rowValue },
          index,
          Math.min(count, mostExamples),
        );
        const halves = { done: places.length + done + 1, total: 2 * places.length };
        shareOf(call, i, ids.length).report?.({ ...halves, what: 'Reading examples' });
      }
    }
    return answers;
  }

  private async peaks(
    model: LoadedModel,
    sae: SparseAutoencoder,
    key: string,
    files: readonly string[],
    call: CallOptions,
  ): Promise<Peaks> {
    const known = this.found.get(sae);
    if (known?.key === key) return known;
    const rows = await textRows(model, files);
    const peaks = await findPeaks(model, sae, { key, rows }, call);
    this.found.set(sae, peaks);
    return peaks;
  }
}

/** One of several pieces of work that are alike. */
function shareOf({ report, ...call }: CallOptions, i: number, count: number): CallOptions {
  return {
    ...call,
    report: ({ done, total, what }) => report?.({ done: i * total + done, total: count * total, what }),
  };
}

function requireFeature({ config: { dSae } }: SparseAutoencoder, index: number): void {
  if (Number.isInteger(index) && index >= 0 && index < dSae) return;
  const reason = `the SAE has features 0 to ${dSae - 1}`;
  throw new EngineError('request.invalid', { what: `Feature ${index}`, reason });
}

/** Tells apart texts as this model reads them. */
async function textKey({ info }: LoadedModel, files: readonly string[]): Promise<string> {
  const stamps = await Promise.all(
    files.map(async (path) => {
      const { size, mtimeMs } = await stat(path).catch((error) => {
        throw fileError(path, error);
      });
      return [path, size, mtimeMs];
    }),
  );
  return JSON.stringify([info.id, info.bos, stamps]);
}

/** One row for each document, cut to what is searched of it. */
async function textRows(model: LoadedModel, files: readonly string[]): Promise<Int32Array[]> {
  const documents = files.length > 0 ? await readDocuments(files) : builtInDocuments();
  const bos = model.bos === undefined ? [] : [model.bos];
  const length = Math.min(rowLength, model.nContext) - bos.length;
  const rows: Int32Array[] = [];
  let tokens = 0;
  for (const text of documents) {
    const { ids } = model.tokenizer.encode(text, { maxTokens: length });
    if (ids.length === 0) continue;
    rows.push(Int32Array.of(...bos, ...ids.subarray(0, length)));
    tokens += ids.length;
    if (tokens > mostTokens) break;
  }
  if (rows.length > 0) return rows;
  const what = files.length === 1 ? `The text ${files[0]}` : 'The texts';
  throw new EngineError('request.invalid', {
    what,
    reason: 'there are no tokens in it; choose another file',
  });
}

/** Every kind of text as often as every other, since a feature may be about any of them. */
function builtInDocuments(): Iterable<string> {
  const names = Object.keys(textKinds) as TextKindName[];
  const mixture = Object.fromEntries(names.map((name) => [name, 1]));
  return corpus({ seed: 'examples', split: 'heldOut', mixture });
}

async function findPeaks(
  model: LoadedModel,
  sae: SparseAutoencoder,
  { key, rows }: Pick<Peaks, 'key' | 'rows'>,
  call: CallOptions,
): Promise<Peaks> {
  const { dSae } = sae.config;
  const size = dSae * remembered;
  const peaks = {
    key,
    rows,
    activations: new Float32Array(size),
    row: new Int32Array(size),
    position: new Int32Array(size),
  };
  const longest = Math.max(...rows.map(({ length }) => length));
  const batches = batchesByLength(
    rows,
    Math.max(1, Math.min(16, Math.floor(mostActivations / (dSae * longest)))),
  );
  for (const [done, { tokens, places }] of batches.entries()) {
    throwIfCancelled(call.signal);
    // The second half is reading the windows.
    call.report?.({ done, total: 2 * batches.length, what: 'Looking for examples' });
    const active = (await sae.activations(await hookValue(model, sae, tokens, call.signal))).data;
    places.forEach((row, i) => {
      notePeaks(peaks, row, active, {
        dSae,
        start: i * tokens[0]!.length,
        end: (i + 1) * tokens[0]!.length,
        skip: skipped(model),
      });
    });
  }
  return peaks;
}

async function hookValue(
  model: LoadedModel,
  sae: SparseAutoencoder,
  tokens: readonly Int32Array[],
  signal?: AbortSignal,
): Promise<Value> {
  const { hookName } = sae.config;
  const { layer } = locateModelHook(model.transformer.config, hookName);
  const run = await model.transformer.run({
    tokens,
    capture: [hookName],
    logits: 'none',
    stopAtLayer: Math.max(0, layer + 1),
    signal,
  });
  return run.hooks.get(hookName)!;
}

/** The beginning-of-sequence token is no text. */
function skipped(model: LoadedModel): number {
  return model.bos === undefined ? 0 : 1;
}

/** Enters each feature's maximum in one row, rows `start` to `end` of `active` `[row, feature]`. */
function notePeaks(
  peaks: Peaks,
  row: number,
  active: Float32Array,
  { dSae, start, end, skip }: { dSae: number; start: number; end: number; skip: number },
): void {
  const most = new Float32Array(dSae);
  const where = new Int32Array(dSae);
  for (let at = start + skip; at < end; at++) {
    const first = at * dSae;
    for (let feature = 0; feature < dSae; feature++) {
      const value = active[first + feature]!;
      if (value <= most[feature]!) continue;
      most[feature] = value;
      where[feature] = at - start;
    }
  }
  most.forEach((value, feature) => {
    if (value > 0) insert(peaks, feature, value, row, where[feature]!);
  });
}

function insert(
  { activations, row: rows, position: positions }: Peaks,
  feature: number,
  value: number,
  row: number,
  position: number,
): void {
  const first = feature * remembered;
  let at = first + remembered - 1;
  if (value <= activations[at]!) return;
  for (; at > first && activations[at - 1]! < value; at--) {
    activations[at] = activations[at - 1]!;
    rows[at] = rows[at - 1]!;
    positions[at] = positions[at - 1]!;
  }
  activations[at] = value;
  rows[at] = row;
  positions[at] = position;
}

interface Searched {
  readonly model: LoadedModel;
  readonly sae: SparseAutoencoder;
  readonly peaks: Peaks;
  /** The hook's value in a row. */
  rowValue(row: number): Promise<Value>;
}

/** Runs every row once: features are strongest in the same few rows. The rows together are `mostTokens` long. */
function rowValues(
  model: LoadedModel,
  sae: SparseAutoencoder,
  { rows }: Peaks,
  signal: AbortSignal | undefined,
): Searched['rowValue'] {
  const known = new Map<number, Value>();
  return async (row) => {
    const value = known.get(row) ?? (await hookValue(model, sae, [rows[row]!], signal));
    known.set(row, value);
    return value;
  };
}

/** The windows around a feature's strongest tokens, no two with the same text. */
async function examplesAt(
  { model, sae, peaks, rowValue }: Searched,
  feature: number,
  count: number,
): Promise<FeatureExample[]> {
  const examples = new Map<string, FeatureExample>();
  for (let at = feature * remembered; at < (feature + 1) * remembered && examples.size < count; at++) {
    if (!(peaks.activations[at]! > 0)) break;
    const ids = peaks.rows[peaks.row[at]!]!;
    const start = Math.max(skipped(model), peaks.position[at]! - before);
    const end = Math.min(ids.length, peaks.position[at]! + behind + 1);
    const tokens = Array.from(ids.subarray(start, end), (id) => model.tokenizer.tokenText(id));
    const text = tokens.join('\u0000');
    if (examples.has(text)) continue;
    const active = floatsOf(await sae.chosen(await rowValue(peaks.row[at]!), [feature]));
    examples.set(text, { tokens, activations: Array.from(active.subarray(start, end)) });
  }
  return [...examples.values()];
}
