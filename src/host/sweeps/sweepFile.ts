/** A sweep as text for the disk: compact, and read back with care, since a file may be cut short or of another version. */

import * as v from 'valibot';
import type { SweepQuestion } from '../../shared/sweepViewApi.ts';
import { emptyCells, type SweepCells, type SweepRecord } from './sweepRecord.ts';

const texts = v.array(v.string());
const count = v.pipe(v.number(), v.integer(), v.minValue(0));

const outline = v.object({
  axes: v.array(v.object({ name: v.string(), labels: texts })),
  pairCount: count,
  metric: v.picklist([
    'logitDifference',
    'answerSetLogOdds',
    'probability',
    'probabilityDifference',
    'crossEntropy',
    'kl',
    'accuracy',
  ]),
  clean: v.number(),
  corrupted: v.number(),
  tokens: v.optional(v.object({ clean: texts, corrupted: texts })),
  common: v.optional(v.object({ tokens: texts, roles: texts })),
  pairsHash: v.optional(v.string()),
  referencePrompts: v.optional(count),
  provenance: v.object({
    version: v.string(),
    model: v.object({ name: v.string(), hash: v.string() }),
    saes: v.array(v.looseObject({ hook: v.string(), hash: v.string() })),
    bos: v.picklist(['none', 'prepended']),
    precision: v.string(),
    seed: v.optional(v.number()),
  }),
});

/** The engine checks what a question asks; here it only has to be one. */
const question = v.custom<SweepQuestion>((value) => {
  const { method, pairs } = (value ?? {}) as { method?: unknown; pairs?: unknown };
  return ['patch', 'ablate', 'path'].includes(String(method)) && typeof pairs === 'object' && pairs !== null;
});

const file = v.object({
  version: v.literal(1),
  id: v.string(),
  question,
  model: v.object({ name: v.string(), hash: v.string() }),
  places: v.object({
    clean: v.optional(v.string()),
    corrupted: v.optional(v.string()),
    pairsOfFile: v.optional(count),
    experiment: v.optional(v.string()),
  }),
  created: v.number(),
  status: v.picklist(['estimating', 'ready', 'running', 'stopped', 'done', 'failed']),
  outline,
  estimate: v.object({ cells: count, runs: count, memory: v.number(), seconds: v.number() }),
  values: v.string(),
  raw: v.string(),
  pairs: v.string(),
});

/** The sweep as text; nothing before its grid is known. */
export function writeSweep(record: SweepRecord): string | undefined {
  const { cells, failure: _, outline, estimate, ...rest } = record;
  if (!outline || !estimate) return undefined;
  const { values, raw, pairs } = cells;
  return JSON.stringify({
    version: 1,
    ...rest,
    outline,
    estimate,
    values: toText(values),
    raw: toText(raw),
    pairs: toText(pairs),
  });
}

/** Reads a sweep; nothing when the text is none. One that was at work is stopped. */
export function readSweep(text: string): SweepRecord | undefined {
  const parsed = v.safeParse(file, parseJson(text));
  if (!parsed.success) return undefined;
  const { version: _, values, raw, pairs, ...rest } = parsed.output;
  const cells = readCells({ values, raw, pairs });
  const size = emptyCells(rest.outline).values.length;
  if (cells.values.length !== size || cells.raw.length !== size || cells.pairs.length !== size)
    return undefined;
  const isAtWork = rest.status === 'running' || rest.status === 'failed' || rest.status === 'estimating';
  return { ...rest, status: isAtWork ? 'stopped' : rest.status, cells };
}

function readCells(texts: Readonly<Record<keyof SweepCells, string>>): SweepCells {
  return {
    values: new Float32Array(fromText(texts.values, 4)),
    raw: new Float64Array(fromText(texts.raw, 8)),
    pairs: new Int32Array(fromText(texts.pairs, 4)),
  };
}

function toText(array: Float32Array | Float64Array | Int32Array): string {
  return Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString('base64');
}

/** The bytes on a buffer of their own, cut to whole numbers of `size` bytes. */
function fromText(text: string, size: number): ArrayBuffer {
  const bytes = Buffer.from(text, 'base64');
  const whole = bytes.length - (bytes.length % size);
  return Uint8Array.from(bytes.subarray(0, whole)).buffer;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
