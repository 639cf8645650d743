/**
 * What S-inhibition heads tell the name movers: which name to avoid, or which position (Wang et al. 2022, §3.2 and appendix A).
 * Their output at END is patched from six variants of every prompt, in which the token signal (the name said twice) is the
 * original, random or inverted, and the position signal (where it stood first) original or inverted. Then, without intercept,
 *
 * mean logit difference ≈ p · S_pos + t · S_tok,  S_pos ∈ {1, −1}, S_tok ∈ {1, 0, −1}, by least squares.
 */
import type { CallOptions } from '../../../shared/engineApi.ts';
import { floatsOf } from '../../graph/value.ts';
import { blockHookName } from '../../model/hooks.ts';
import { batchesByLength } from '../../model/tokenBatches.ts';
import type { Transformer } from '../../model/transformer.ts';
import type { Random } from '../../random.ts';
import { metricValue } from '../../task/metric.ts';
import type { TokenPair } from '../../task/task.ts';
import { gatherPositions } from '../pathSenders.ts';
import { overwriteHeads } from './headOverwrite.ts';
import { type HeadPlace, positionOf } from './ioiTask.ts';

/** Whether a signal is that of the prompt (1), one about unrelated names (0), or the opposite (−1). */
export interface SignalVariant {
  readonly token: 1 | 0 | -1;
  readonly position: 1 | -1;
}

export const signalVariants: readonly SignalVariant[] = ([1, 0, -1] as const).flatMap((token) =>
  ([1, -1] as const).map((position) => ({ token, position })),
);

export interface InhibitionSignals {
  /** Mean logit difference with the heads' output from each variant, in the order of `signalVariants`. */
  readonly logitDifferences: readonly number[];
  /** p and t above. */
  readonly position: number;
  readonly token: number;
  /** Mean |measured − fitted| over |measured| of the original signals. */
  readonly error: number;
  /** Pairs whose names are the same tokens wherever they stand; others cannot be exchanged. */
  readonly pairs: number;
}

/** Undefined when there is no head, or no pair whose names can be exchanged. @throws cancelled */
export async function inhibitionSignals(
  model: Transformer,
  pairs: readonly TokenPair[],
  heads: readonly HeadPlace[],
  random: Random,
  call: CallOptions = {},
): Promise<InhibitionSignals | undefined> {
  const usable = pairs.filter(hasPlainNames);
  if (heads.length === 0 || usable.length === 0) return undefined;
  const pool = [...new Set(usable.flatMap(({ answers, wrongAnswers }) => [answers[0]!, wrongAnswers[0]!]))];
  const drawn = usable.map((pair) => drawNames(pair, pool, random));
  const logitDifferences: number[] = [];
  for (const [i, variant] of signalVariants.entries()) {
    const prompts = usable.map((pair, at) => variantOf(pair, variant, drawn[at]!));
    logitDifferences.push(await patchedDifference(model, usable, prompts, heads, call.signal));
    call.report?.({ done: i + 1, total: signalVariants.length, what: 'Token and position signals' });
  }
  return { ...fitSignals(logitDifferences), logitDifferences, pairs: usable.length };
}

/** The prompt of a variant: other names at IO, S1 and S2. `unrelated` stand for IO and S where the token signal is random. */
export function variantOf(
  pair: TokenPair,
  { token, position }: SignalVariant,
  unrelated: readonly [number, number],
): Int32Array {
  const [io, s] = token === 0 ? unrelated : ([pair.answers[0]!, pair.wrongAnswers[0]!] as const);
  const repeated = token === -1 ? io : s;
  const other = repeated === s ? io : s;
  const prompt = pair.clean.slice();
  // The position signal says where the repeated name stood first: at S1, or when it is inverted at IO.
  prompt[positionOf(pair, 'S1')] = position === 1 ? repeated : other;
  prompt[positionOf(pair, 'IO')] = position === 1 ? other : repeated;
  prompt[positionOf(pair, 'S2')] = repeated;
  return prompt;
}

/** Least squares over the six variants, whose columns are orthogonal. */
export function fitSignals(
  values: readonly number[],
): Pick<InhibitionSignals, 'position' | 'token' | 'error'> {
  const project = (of: (variant: SignalVariant) => number): number => {
    const squares = signalVariants.reduce((sum, variant) => sum + of(variant) ** 2, 0);
    return signalVariants.reduce((sum, variant, i) => sum + of(variant) * values[i]!, 0) / squares;
  };
  const position = project((variant) => variant.position);
  const token = project((variant) => variant.token);
  const miss = signalVariants.map((variant, i) =>
    Math.abs(values[i]! - position * variant.position - token * variant.token),
  );
  const mean = miss.reduce((sum, value) => sum + value, 0) / miss.length;
  return { position, token, error: mean / Math.abs(values[0]!) };
}

function hasPlainNames({ clean, roles, answers, wrongAnswers }: TokenPair): boolean {
  const at = (role: string) => clean[roles[role]!];
  return at('IO') === answers[0] && at('S1') === wrongAnswers[0] && at('S2') === wrongAnswers[0];
}

function drawNames(pair: TokenPair, pool: readonly number[], random: Random): readonly [number, number] {
  const own = [pair.answers[0]!, pair.wrongAnswers[0]!];
  const others = pool.filter((name) => !own.includes(name));
  const [a, b] = random.shuffle(others.length < 2 ? pool : others);
  return [a!, b!];
}

async function patchedDifference(
  model: Transformer,
  pairs: readonly TokenPair[],
  variants: readonly Int32Array[],
  heads: readonly HeadPlace[],
  signal?: AbortSignal,
): Promise<number> {
  const { dVocab } = model.config;
  const layers = [...new Set(heads.map(({ layer }) => layer))];
  const hooks = layers.map((layer) => blockHookName(layer, 'attn.hook_z'));
  let sum = 0;
  for (const { places } of batchesByLength(variants, 32)) {
    const batch = places.map((place) => pairs[place]!);
    const other = await model.run({
      tokens: places.map((place) => variants[place]!),
      capture: hooks,
      stopAtLayer: Math.max(...layers) + 1,
      signal,
    });
    const ends = batch.map((pair) => positionOf(pair, 'END'));
    const edits = layers.map((layer, i) => {
      const values = gatherPositions(
        other.hooks.get(hooks[i]!)!,
        ends.map((end) => [end]),
      );
      const own = heads.filter((place) => place.layer === layer).map(({ head }) => head);
      const length = batch[0]!.clean.length;
      return overwriteHeads({ layer, hook: 'attn.hook_z', heads: own, positions: ends, length, values });
    });
    const { logits } = await model.run({
      tokens: batch.map(({ clean }) => clean),
      edits,
      logits: 'last',
      signal,
    });
    const data = floatsOf(logits!);
    batch.forEach((pair, row) => {
      sum += metricValue('logitDifference', data.subarray(row * dVocab, (row + 1) * dVocab), pair);
    });
  }
  return sum / pairs.length;
}
