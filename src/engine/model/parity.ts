/**
 * How well Fovea reads a model: what small models of its family showed when they were compared with other libraries,
 * and the comparison of one model with what such a library recorded for these very weights.
 */
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import type { ModelInfo, ParityBadge } from '../../shared/domain.ts';
import { isEngineError } from '../../shared/errors.ts';
import { fileError, malformed } from '../files/fileErrors.ts';
import { readJson } from '../files/json.ts';
import { floatsOf, type Value } from '../graph/value.ts';
import measured from './familyParity.json' with { type: 'json' };

/** The file that `test/parity/record_reference.py` writes beside the weights of the model at `path`, a folder or GGUF file. */
export function referencePath(path: string): string {
  return path.endsWith('.gguf') ? `${path}.fovea-parity.json` : join(path, 'fovea-parity.json');
}

/** One family's row of `familyParity.json`, which the parity tests measure and hold Fovea to. */
interface FamilyRow {
  /** The small models that were compared. */
  readonly models: readonly string[];
  /** How many recorded hook values were compared. */
  readonly hooks: number;
  readonly worstLogit: number;
  /** Largest difference of a hook's value as a share of that hook's range. */
  readonly worstHook: number;
}

const families: Readonly<Record<string, FamilyRow>> = measured.families;

/** The badge of a family: measured on small random models of it, whose weights exercise every term. */
export function familyParity(family: string): ParityBadge {
  if (!Object.hasOwn(families, family)) return { compared: 'none' };
  const { worstLogit, worstHook } = families[family]!;
  return {
    compared: 'family',
    reference: measured.reference,
    worstLogit,
    hookReference: measured.hookReference,
    worstHook,
  };
}

const idSchema = v.pipe(v.number(), v.integer(), v.minValue(0));

const referenceSchema = v.looseObject({
  format: v.literal('fovea-parity-1'),
  reference: v.pipe(v.string(), v.minLength(1), v.maxLength(200)),
  tokens: v.pipe(v.array(idSchema), v.minLength(1), v.maxLength(512)),
  positions: v.pipe(
    v.array(
      v.looseObject({
        position: idSchema,
        ids: v.pipe(v.array(idSchema), v.minLength(1), v.maxLength(1000)),
        logits: v.pipe(v.array(v.pipe(v.number(), v.finite())), v.minLength(1), v.maxLength(1000)),
      }),
    ),
    v.minLength(1),
    v.maxLength(512),
  ),
});

type Reference = v.InferOutput<typeof referenceSchema>;

/** Large enough for every valid reference, small enough that a wrong file is refused at once. */
const maxReferenceBytes = 1_000_000;

/** What the comparison needs of a model. */
export interface ComparableModel {
  readonly config: { readonly dVocab: number; readonly nContext: number };
  run(request: {
    readonly tokens: readonly Int32Array[];
    readonly signal?: AbortSignal;
  }): Promise<{ readonly logits?: Value }>;
}

/**
 * The badge of a model that was opened: of these very weights when a recording lies beside them, else `info.parity`,
 * its family's. A damaged recording is told in `problem` and keeps nobody from using the model. @throws cancelled.
 */
export async function modelParity(
  model: ComparableModel,
  info: Pick<ModelInfo, 'path' | 'parity'>,
  signal?: AbortSignal,
): Promise<ParityBadge> {
  try {
    const badge = await compareWithReference(model, info.path, signal);
    return badge.compared === 'none' ? info.parity : badge;
  } catch (error) {
    const isDamaged = isEngineError(error, 'file.malformed') || isEngineError(error, 'file.unreadable');
    if (!isDamaged) throw error;
    return { ...info.parity, problem: error.message };
  }
}

/**
 * Compares the model's logits with those that another library recorded for the weights at `modelPath`. The badge is `none`
 * when there is no recording. A model that is read wrongly gets a badge too: with the difference that was found.
 * @throws file.malformed for a damaged recording or one of another model, file.unreadable, cancelled.
 */
export async function compareWithReference(
  model: ComparableModel,
  modelPath: string,
  signal?: AbortSignal,
): Promise<ParityBadge> {
  const path = referencePath(modelPath);
  if (!(await exists(path))) return { compared: 'none' };
  const reference = await readJson(path, referenceSchema, { maxBytes: maxReferenceBytes });
  checkReference(path, reference, model);
  const { logits } = await model.run({ tokens: [Int32Array.from(reference.tokens)], signal });
  const worstLogit = largestGap(reference, floatsOf(logits!), model.config.dVocab);
  return { compared: 'model', reference: reference.reference, worstLogit };
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    const failure = fileError(path, error);
    if (isEngineError(failure, 'file.missing')) return false;
    throw failure;
  }
}

/** Ids and positions must lie inside this model and the recorded prompt. */
function checkReference(path: string, { tokens, positions }: Reference, { config }: ComparableModel): void {
  const { dVocab, nContext } = config;
  const checkIds = (field: string, ids: readonly number[]) => {
    const wrong = ids.find((id) => id >= dVocab);
    if (wrong !== undefined) throw malformed(path, field, `ids below ${dVocab}`, wrong);
  };
  if (tokens.length > nContext)
    throw malformed(path, 'tokens', `at most ${nContext} tokens`, `${tokens.length} tokens`);
  checkIds('tokens', tokens);
  positions.forEach(({ position, ids, logits }, i) => {
    const field = `positions.${i}`;
    if (position >= tokens.length)
      throw malformed(path, `${field}.position`, `below ${tokens.length}`, position);
    if (ids.length !== logits.length)
      throw malformed(path, `${field}.logits`, `${ids.length} numbers`, `${logits.length} numbers`);
    checkIds(`${field}.ids`, ids);
  });
}

/** Largest |found − recorded|; a logit that is no number is infinitely far off. */
function largestGap({ positions }: Reference, found: Float32Array, dVocab: number): number {
  let worst = 0;
  for (const { position, ids, logits } of positions) {
    ids.forEach((id, i) => {
      const gap = Math.abs(found[position * dVocab + id]! - logits[i]!);
      worst = Number.isNaN(gap) ? Number.POSITIVE_INFINITY : Math.max(worst, gap);
    });
  }
  return worst;
}
