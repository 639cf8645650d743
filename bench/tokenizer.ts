/** From a keystroke at the end of a prompt of 1,000 tokens to its tokens and their places, for every kind of tokenizer. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildTokenizer, type Tokenizer } from '../src/engine/model/tokenizer.ts';
import { parseTokenizer } from '../src/engine/model/tokenizerFile.ts';
import { type Figure, finish, median, spread, timed } from './figure.ts';

/** Small tokenizers with the pipelines of these families, recorded for the parity tests. */
const kinds = ['gpt-neox', 'llama-3', 'qwen-2', 'smollm-2', 'llama-2', 'mistral', 'gemma'];
const folder = join('test', 'fixtures', 'parity', 'tokenizers');
const tokens = 1000;
const typed = 'the keeper wrote down what the waves had told him, e\u0301 and 🙂 too';
const text = 'When Mary and John went to the store, John gave a drink to the 42 keepers. '.repeat(60);

function load(kind: string): Tokenizer {
  const path = join(folder, `${kind}.json`);
  const { tokenizer } = JSON.parse(readFileSync(path, 'utf8'));
  return buildTokenizer({ path, tokenizer: parseTokenizer(path, tokenizer), config: {} });
}

async function measure(kind: string): Promise<Figure> {
  const tokenizer = load(kind);
  const { ends } = tokenizer.encode(text);
  const prompt = text.slice(0, ends[tokens - 1]);
  const [wall, cpu]: [number[], number[]] = [[], []];
  for (let length = 1; length <= typed.length; length++) {
    const taken = await timed(async () => tokenizer.encode(prompt + typed.slice(0, length)));
    wall.push(taken.wall);
    cpu.push(taken.cpu);
  }
  return {
    what: `tokens of a prompt of ${tokens} after a keystroke, as ${kind} does`,
    value: median(wall),
    unit: 'ms',
    target: 2,
    detail: spread({ wall, cpu }),
  };
}

async function main(): Promise<void> {
  const figures: Figure[] = [];
  for (const kind of kinds) figures.push(await measure(kind));
  finish(figures);
}

void main();
