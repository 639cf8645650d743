/**
 * What heads attend to on random tokens that are said twice (Wang et al. 2022, §3.3; Olsson et al. 2022): with a sequence
 * of T tokens repeated once, means over the queries i of the second half of
 *
 * - previous token: A[i, i − 1],  duplicate token: A[i, i − T],  induction: A[i, i − (T − 1)].
 */
import type { HookName } from '../../../shared/domain.ts';
import type { CallOptions } from '../../../shared/engineApi.ts';
import { floatsOf, type Value } from '../../graph/value.ts';
import { blockHookName } from '../../model/hooks.ts';
import type { Transformer } from '../../model/transformer.ts';
import type { Random } from '../../random.ts';

/** `[head]` in the order of `allHeads`, 0 … 1. */
export interface RepetitionScores {
  readonly previousToken: Float64Array;
  readonly duplicateToken: Float64Array;
  readonly induction: Float64Array;
}

export interface RepetitionRequest {
  /** Ids to draw from: no marks such as the end of a text. */
  readonly vocabulary: readonly number[];
  /** Tokens before the repetition; fewer where the model reads fewer. The paper's 100 when left out. */
  readonly length?: number;
  /** Default 20. */
  readonly sequences?: number;
  /** Put before every sequence when the model wants it. */
  readonly bos?: number;
}

/** @throws cancelled */
export async function repetitionScores(
  model: Transformer,
  request: RepetitionRequest,
  random: Random,
  { signal, report }: CallOptions = {},
): Promise<RepetitionScores> {
  const { nLayers, nHeads, nContext } = model.config;
  const before = request.bos === undefined ? [] : [request.bos];
  const length = Math.min(request.length ?? 100, Math.floor((nContext - before.length) / 2));
  const sequences = request.sequences ?? 20;
  const empty = () => new Float64Array(nLayers * nHeads);
  const scores: RepetitionScores = { previousToken: empty(), duplicateToken: empty(), induction: empty() };
  const perRun = Math.max(1, Math.floor(1024 / (2 * length)));
  for (let done = 0; done < sequences; done += perRun) {
    const count = Math.min(perRun, sequences - done);
    const tokens = Array.from({ length: count }, () => {
      const once = drawTokens(request.vocabulary, length, random);
      return Int32Array.of(...before, ...once, ...once);
    });
    const watch = new Map<HookName, (value: Value) => void>();
    for (let layer = 0; layer < nLayers; layer++) {
      const add = (pattern: Value) =>
        addDiagonals(scores, pattern, { first: layer * nHeads, length, by: 1 / (sequences * length) });
      watch.set(blockHookName(layer, 'attn.hook_pattern'), add);
    }
    await model.run({ tokens, watch, logits: 'none', signal });
    report?.({ done: done + count, total: sequences, what: 'Repeated random tokens' });
  }
  return scores;
}

/** All different as long as there are enough, so that a token has one earlier occurrence. */
function drawTokens(vocabulary: readonly number[], length: number, random: Random): number[] {
  if (vocabulary.length > 8 * length) {
    const drawn = new Set<number>();
    while (drawn.size < length) drawn.add(random.pick(vocabulary));
    return [...drawn];
  }
  const shuffled = random.shuffle(vocabulary);
  return Array.from({ length }, (_, i) => shuffled[i % shuffled.length]!);
}

/** Adds the three diagonals of `pattern` `[batch, head, position, key]` over the last `length` queries. */
function addDiagonals(
  scores: RepetitionScores,
  pattern: Value,
  { first, length, by }: { readonly first: number; readonly length: number; readonly by: number },
): void {
  const [rows = 0, heads = 0, positions = 0, keys = 0] = pattern.dims;
  const data = floatsOf(pattern);
  const diagonals = [
    [scores.previousToken, 1],
    [scores.duplicateToken, length],
    [scores.induction, length - 1],
  ] as const;
  for (let row = 0; row < rows; row++) {
    for (let head = 0; head < heads; head++) {
      const start = (row * heads + head) * positions * keys;
      for (const [sums, back] of diagonals) {
        let sum = 0;
        for (let i = positions - length; i < positions; i++) sum += data[start + i * keys + i - back]!;
        sums[first + head]! += sum * by;
      }
    }
  }
}
