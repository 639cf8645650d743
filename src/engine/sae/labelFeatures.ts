/**
 * Counts how features fire over a text, and labels each by the tokens it is most active on. A label says
 * what was seen, not what it means; its source says so wherever it is shown.
 */

import type { CallOptions } from '../../shared/engineApi.ts';
import { throwIfCancelled } from '../../shared/errors.ts';
import { floatsOf } from '../graph/value.ts';
import type { Transformer } from '../model/transformer.ts';
import type { FeatureStatistics } from './featureStatistics.ts';
import type { SparseAutoencoder } from './sparseAutoencoder.ts';

/** Sequences that run at once. */
const batchSize = 16;

/** Tokens that a label names at most. */
const labelTokens = 3;

/** Between tokens of a label: not a comma, which is often one of them. */
const separator = ' / ';
const more = '…';

/** A token that has this share of a feature's activation stands for it alone. */
const dominant = 0.85;

/** Tokens with less than this share, of the weight of the first, are not named. */
const noteworthy = 0.08;

/** Activation mass of one feature by the token it fires on, and by that token and the one before it. */
interface Tally {
  count: number;
  max: number;
  readonly byToken: Map<number, number>;
  readonly byPair: Map<string, number>;
}

/** Statistics of every feature over `rows` of tokens (equal lengths). */
export async function labelFeatures(
  model: Transformer,
  sae: SparseAutoencoder,
  rows: readonly Int32Array[],
  tokenText: (id: number) => string,
  call: CallOptions = {},
): Promise<FeatureStatistics> {
  const { dSae, hookName } = sae.config;
  const tallies = Array.from(
    { length: dSae },
    (): Tally => ({ count: 0, max: 0, byToken: new Map(), byPair: new Map() }),
  );
  const occurrences = new Map<number, number>();
  let tokens = 0;
  for (let start = 0; start < rows.length; start += batchSize) {
    throwIfCancelled(call.signal);
    const batch = rows.slice(start, start + batchSize);
    const run = await model.run({ tokens: batch, capture: [hookName], logits: 'none', signal: call.signal });
    const activations = floatsOf(await sae.activations(run.hooks.get(hookName)!));
    batch.forEach((row, b) => {
      row.forEach((id, position) => {
        const at = (b * row.length + position) * dSae;
        occurrences.set(id, (occurrences.get(id) ?? 0) + 1);
        count(tallies, activations.subarray(at, at + dSae), id, row[position - 1]);
      });
      tokens += row.length;
    });
    call.report?.({ done: start + batch.length, total: rows.length, what: 'Labelling features' });
  }
  return {
    version: 1,
    labelSource: 'most active tokens',
    tokens,
    density: tallies.map(({ count }) => rounded(count / tokens)),
    maxActivation: tallies.map(({ max }) => rounded(max)),
    labels: tallies.map((tally) => labelOf(tally, occurrences, tokenText)),
  };
}

function count(
  tallies: readonly Tally[],
  activations: Float32Array,
  id: number,
  before: number | undefined,
): void {
  for (let i = 0; i < activations.length; i++) {
    const activation = activations[i]!;
    if (activation <= 0) continue;
    const tally = tallies[i]!;
    tally.count++;
    tally.max = Math.max(tally.max, activation);
    tally.byToken.set(id, (tally.byToken.get(id) ?? 0) + activation);
    if (before === undefined) continue;
    const pair = `${before} ${id}`;
    tally.byPair.set(pair, (tally.byPair.get(pair) ?? 0) + activation);
  }
}

/** E.g. `Mary / John / Tom` or, when one token dominates, `to after drink / book`. */
function labelOf(
  { byToken, byPair }: Tally,
  occurrences: ReadonlyMap<number, number>,
  tokenText: (id: number) => string,
): string {
  const total = [...byToken.values()].reduce((sum, mass) => sum + mass, 0);
  if (total === 0) return '';
  const [first, mass] = [...byToken].sort((a, b) => b[1] - a[1])[0]!;
  if (mass < dominant * total) {
    // Mass alone would name the full stop everywhere; activation per occurrence alone, a token seen once.
    const weight = ([id, sum]: readonly [number, number]): number => (sum * sum) / occurrences.get(id)!;
    const ranked = [...byToken].sort((a, b) => weight(b) - weight(a));
    const most = weight(ranked[0]!);
    const named = ranked.filter((entry) => weight(entry) >= noteworthy * most).slice(0, labelTokens);
    const rest = ranked.length > named.length ? [more] : [];
    return [...named.map(([id]) => readable(tokenText(id))), ...rest].join(separator);
  }
  const own = [...byPair].filter(([pair]) => pair.endsWith(` ${first}`)).sort((a, b) => b[1] - a[1]);
  const shown = own.filter(([, share]) => share >= noteworthy * total).slice(0, labelTokens);
  const befores = shown.map(([pair]) => readable(tokenText(Number(pair.split(' ')[0]))));
  return befores.length > 0
    ? `${readable(tokenText(first))} after ${befores.join(separator)}`
    : readable(tokenText(first));
}

/** A token without its leading space; line breaks and other invisible ones as signs. */
function readable(text: string): string {
  return text.trim() === '' ? JSON.stringify(text) : text.trim();
}

function rounded(value: number): number {
  return Number(value.toPrecision(4));
}
