/** A GGUF file in the engine: opened like a folder, analyzed, with SAEs found beside it, and progress of its conversion. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Engine } from '../../../src/engine/engine.ts';
import { seededRandom } from '../../../src/engine/random.ts';
import { writeSaeLens } from '../../../src/engine/sae/formats/saelens.ts';
import type { Progress } from '../../../src/shared/domain.ts';
import { float32Bytes, type GgufTensorSpec, ggufFile, type TypedValue } from '../../fixtures/ggufFile.ts';
import { randomSae, tinySaeConfig, valuesOf } from '../../fixtures/tinyModel.ts';
import { temporaryFolder } from '../temporaryFolder.ts';

const [width, vocabulary] = [32, 300];
const text = (value: string): TypedValue => ({ type: 'string', value });
const count = (value: number): TypedValue => ({ type: 'uint32', value });

function metadata(): Record<string, TypedValue> {
  // The letters of the byte alphabet come first, as in GPT-2's vocabulary; `a b` is the only merge.
  const letters = Array.from({ length: 94 }, (_, i) => String.fromCodePoint(33 + i));
  const tokens = ['<|endoftext|>', ...letters, 'Ġ', 'ab'];
  while (tokens.length < vocabulary) tokens.push(`<${tokens.length}>`);
  return {
    'general.architecture': text('llama'),
    'llama.block_count': count(1),
    'llama.context_length': count(64),
    'llama.embedding_length': count(width),
    'llama.feed_forward_length': count(width),
    'llama.attention.head_count': count(4),
    'llama.attention.head_count_kv': count(2),
    'llama.attention.layer_norm_rms_epsilon': { type: 'float32', value: 1e-5 },
    'tokenizer.ggml.model': text('gpt2'),
    'tokenizer.ggml.pre': text('smollm'),
    'tokenizer.ggml.tokens': { type: 'array', of: 'string', values: tokens },
    'tokenizer.ggml.token_type': {
      type: 'array',
      of: 'int32',
      values: tokens.map((_, i) => (i === 0 ? 3 : 1)),
    },
    'tokenizer.ggml.merges': { type: 'array', of: 'string', values: ['a b'] },
    'tokenizer.ggml.bos_token_id': count(0),
    'tokenizer.ggml.eos_token_id': count(0),
  };
}

/** Weights as float32, but the gate as Q8_0, so that the file has to be converted. */
function tensors(): GgufTensorSpec[] {
  const random = seededRandom('gguf');
  const make = (name: string, shape: readonly number[]): GgufTensorSpec => {
    const size = shape.reduce((product, dim) => product * dim, 1);
    const numbers = Array.from({ length: size }, () => (shape.length === 1 ? 1 : 0.2) * random.normal());
    if (name !== 'blk.0.ffn_gate.weight') return { name, shape, data: float32Bytes(numbers) };
    // Blocks of 34 bytes: a 16-bit scale of 2^-7, then 32 small numbers.
    const data = Uint8Array.from({ length: (size / 32) * 34 }, (_, i) => i % 7);
    for (let at = 0; at < data.length; at += 34) data.set([0, 0x20], at);
    return { name, shape, type: 8, data };
  };
  return [
    make('token_embd.weight', [vocabulary, width]),
    make('output_norm.weight', [width]),
    make('blk.0.attn_norm.weight', [width]),
    make('blk.0.ffn_norm.weight', [width]),
    make('blk.0.attn_q.weight', [width, width]),
    make('blk.0.attn_k.weight', [width / 2, width]),
    make('blk.0.attn_v.weight', [width / 2, width]),
    make('blk.0.attn_output.weight', [width, width]),
    make('blk.0.ffn_gate.weight', [width, width]),
    make('blk.0.ffn_up.weight', [width, width]),
    make('blk.0.ffn_down.weight', [width, width]),
  ];
}

it('opens a GGUF file, tells what it converts, analyzes a prompt and finds SAEs beside the file', async () => {
  const folder = await temporaryFolder();
  const path = join(folder, 'small.gguf');
  await writeFile(path, ggufFile({ metadata: metadata(), tensors: tensors() }));
  const hook = 'blocks.0.hook_resid_pre';
  const sae = join(folder, 'saes', hook);
  await mkdir(sae, { recursive: true });
  await writeSaeLens(sae, tinySaeConfig(hook, width), valuesOf(randomSae('gguf', width), width));

  const engine = new Engine({ threads: 1, storage: join(folder, 'storage') });
  const seen: Progress[] = [];
  const model = await engine.openModel({ path }, { report: (progress) => seen.push(progress) });
  expect(model).toMatchObject({
    id: path,
    name: 'small',
    family: 'llama',
    nLayers: 1,
    nKeyValueHeads: 2,
    dVocab: 300,
  });
  expect(seen[0]!.what).toMatch(/Converting .*small\.gguf to float32, once/);
  const saes = await engine.listSaes({ model: model.id, folders: [] });
  expect(saes.map(({ id }) => id)).toEqual([sae]);
  const analysis = await engine.analyze({
    model: model.id,
    text: 'ab cab',
    saes: [sae],
    topFeatures: 3,
    topPredictions: vocabulary,
    edits: [],
  });
  expect(analysis.strip.tokens.map((token) => token.text)).toEqual(['ab', ' ', 'c', 'ab']);
  expect(analysis.predictions.at(-1)).toHaveLength(vocabulary);
  expect(analysis.predictions.at(-1)!.every(({ logit }) => Number.isFinite(logit))).toBe(true);
  expect(analysis.features[0]!.activations.some((activation) => activation > 0)).toBe(true);
  await engine.closeModel({ model: model.id });
});
