// GPT-2's loss by plain loops over doubles, as the paper's equations read: the reference for the trained program.

import type { LanguageModelShape } from '../../../../src/engine/training/languageModel.ts';

/** Weight arrays by Hugging Face name. */
export type PlainWeights = Readonly<Record<string, ArrayLike<number>>>;

type Row = readonly number[];

/** Mean cross-entropy in nats of each row's next tokens; `rows` hold one token more than is predicted from. */
export function plainLoss(weights: PlainWeights, shape: LanguageModelShape, rows: readonly Row[]): number {
  const losses = rows.flatMap((ids) => {
    const logits = plainLogits(weights, shape, ids.slice(0, -1));
    return logits.map((row, position) => logSumExp(row) - row[ids[position + 1]!]!);
  });
  return mean(losses);
}

function plainLogits(weights: PlainWeights, shape: LanguageModelShape, ids: Row): Row[] {
  const { dModel, dVocab, nLayers } = shape;
  const wte = weights['transformer.wte.weight']!;
  const wpe = weights['transformer.wpe.weight']!;
  let stream: Row[] = ids.map((id, position) =>
    times(dModel, (i) => wte[id * dModel + i]! + wpe[position * dModel + i]!),
  );
  for (let layer = 0; layer < nLayers; layer++) {
    const at = `transformer.h.${layer}`;
    const attended = attention(
      weights,
      `${at}.attn`,
      stream.map((x) => norm(weights, `${at}.ln_1`, x, shape)),
      shape,
    );
    stream = stream.map((x, position) => plus(x, attended[position]!));
    stream = stream.map((x) =>
      plus(x, mlp(weights, `${at}.mlp`, norm(weights, `${at}.ln_2`, x, shape), shape)),
    );
  }
  return stream.map((x) => {
    const last = norm(weights, 'transformer.ln_f', x, shape);
    return times(dVocab, (id) => total(times(dModel, (i) => last[i]! * wte[id * dModel + i]!)));
  });
}

function attention(
  weights: PlainWeights,
  name: string,
  stream: readonly Row[],
  shape: LanguageModelShape,
): Row[] {
  const { dModel, nHeads } = shape;
  const dHead = dModel / nHeads;
  const projected = stream.map((x) => linear(weights, `${name}.c_attn`, x, 3 * dModel));
  const part = (position: number, which: number, head: number) =>
    projected[position]!.slice(which * dModel + head * dHead, which * dModel + (head + 1) * dHead);
  return stream.map((_, position) => {
    const z = times(nHeads, (head) => {
      const scores = times(
        position + 1,
        (key) => dot(part(position, 0, head), part(key, 1, head)) / Math.sqrt(dHead),
      );
      const top = logSumExp(scores);
      return times(dHead, (i) =>
        total(scores.map((score, key) => Math.exp(score - top) * part(key, 2, head)[i]!)),
      );
    });
    return linear(weights, `${name}.c_proj`, z.flat(), dModel);
  });
}

function mlp(weights: PlainWeights, name: string, x: Row, { dMlp, dModel }: LanguageModelShape): Row {
  const hidden = linear(weights, `${name}.c_fc`, x, dMlp).map(
    (h) => 0.5 * h * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (h + 0.044715 * h ** 3))),
  );
  return linear(weights, `${name}.c_proj`, hidden, dModel);
}

function linear(weights: PlainWeights, name: string, x: Row, to: number): Row {
  const matrix = weights[`${name}.weight`]!;
  const bias = weights[`${name}.bias`]!;
  return times(to, (j) => bias[j]! + total(x.map((value, i) => value * matrix[i * to + j]!)));
}

function norm(weights: PlainWeights, name: string, x: Row, { layerNormEps }: LanguageModelShape): Row {
  const centre = mean(x);
  const spread = Math.sqrt(mean(x.map((value) => (value - centre) ** 2)) + layerNormEps);
  return x.map(
    (value, i) => ((value - centre) / spread) * weights[`${name}.weight`]![i]! + weights[`${name}.bias`]![i]!,
  );
}

const times = <T>(count: number, make: (i: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i));
const total = (row: Row): number => row.reduce((sum, x) => sum + x, 0);
const mean = (row: Row): number => total(row) / row.length;
const plus = (a: Row, b: Row): Row => a.map((x, i) => x + b[i]!);
const dot = (a: Row, b: Row): number => total(a.map((x, i) => x * b[i]!));

function logSumExp(row: Row): number {
  const top = Math.max(...row);
  return top + Math.log(total(row.map((x) => Math.exp(x - top))));
}
