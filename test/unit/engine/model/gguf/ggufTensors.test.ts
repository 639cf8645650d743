/** Names and layouts of tensors: joined projections are taken apart, and what a model cannot have is refused by name. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openGguf } from '../../../../../src/engine/files/gguf.ts';
import { ggufArchitectures } from '../../../../../src/engine/model/gguf/ggufArchitectures.ts';
import { ggufNumbers } from '../../../../../src/engine/model/gguf/ggufNumbers.ts';
import { type HeadSizes, nameTensors } from '../../../../../src/engine/model/gguf/ggufTensors.ts';
import { openModelFiles } from '../../../../../src/engine/model/modelFiles.ts';
import {
  float32Bytes,
  type GgufTensorSpec,
  ggufFile,
  type TypedValue,
} from '../../../../fixtures/ggufFile.ts';
import { failure, temporaryFolder } from '../../../temporaryFolder.ts';

const sizes: HeadSizes = { architecture: 'phi2', layers: 1, heads: 2, keyHeads: 2, headSize: 2 };

async function written(
  tensors: readonly GgufTensorSpec[],
  metadata: Readonly<Record<string, TypedValue>> = {},
): Promise<string> {
  const path = join(await temporaryFolder(), 'a.gguf');
  await writeFile(path, ggufFile({ metadata, tensors }));
  return path;
}

function tensor(name: string, shape: readonly number[], type = 0): GgufTensorSpec {
  const count = shape.reduce((product, dim) => product * dim, 1);
  const bytes = type === 0 ? 4 * count : count;
  const data = type === 0 ? float32Bytes(Array.from({ length: count }, (_, i) => i)) : new Uint8Array(bytes);
  return { name, shape, type, data };
}

async function named(tensors: readonly GgufTensorSpec[], changes: Partial<HeadSizes> = {}) {
  const gguf = await openGguf(await written(tensors));
  const all = { ...sizes, ...changes };
  const found: Record<string, number[]> = {};
  for (const entry of nameTensors(gguf, ggufArchitectures[all.architecture]!, all)) {
    found[entry.name] = [];
    for await (const piece of ggufNumbers(gguf, entry)) found[entry.name]!.push(...piece);
  }
  return found;
}

describe('nameTensors', () => {
  it('takes joined queries, keys and values apart', async () => {
    const joined = [tensor('blk.0.attn_qkv.weight', [12, 3]), tensor('blk.0.attn_qkv.bias', [12])];
    const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
    expect(await named(joined)).toEqual({
      'model.layers.0.self_attn.q_proj.weight': numbers(0, 12),
      'model.layers.0.self_attn.k_proj.weight': numbers(12, 24),
      'model.layers.0.self_attn.v_proj.weight': numbers(24, 36),
      'model.layers.0.self_attn.q_proj.bias': numbers(0, 4),
      'model.layers.0.self_attn.k_proj.bias': numbers(4, 8),
      'model.layers.0.self_attn.v_proj.bias': numbers(8, 12),
    });
  });

  it('leaves out tensors that only describe positions', async () => {
    expect(await named([tensor('rope_freqs.weight', [1]), tensor('rope_factors_long.weight', [1])])).toEqual(
      {},
    );
  });

  it.each<[string, GgufTensorSpec, Partial<HeadSizes>, string, RegExp]>([
    [
      'such a model does not have',
      tensor('blk.0.ffn_gate_inp.weight', [2]),
      {},
      'model.unsupported',
      /ffn_gate_inp/,
    ],
    ['of no block', tensor('blk.x.ffn_up.weight', [2]), {}, 'model.unsupported', /blk\.x\.ffn_up/],
    ['named like a property', tensor('constructor.weight', [2]), {}, 'model.unsupported', /constructor/],
    ['behind the last block', tensor('blk.1.ffn_up.weight', [2]), {}, 'file.malformed', /block_count/],
    ['of another number of rows', tensor('blk.0.attn_qkv.weight', [11, 3]), {}, 'file.malformed', /12 rows/],
    [
      'whose heads cannot be halved',
      tensor('blk.0.attn_q.weight', [6, 3]),
      { architecture: 'llama', headSize: 3 },
      'file.malformed',
      /size of a head.*even/,
    ],
    [
      'of giant heads',
      tensor('blk.0.attn_q.weight', [6, 3]),
      { architecture: 'llama', heads: 2 ** 40, headSize: 2 ** 10 },
      'file.malformed',
      /rows/,
    ],
    [
      'that should be a matrix',
      tensor('blk.0.ffn_up.weight', [6]),
      { architecture: 'gpt2' },
      'file.malformed',
      /a matrix/,
    ],
    [
      'in a format that cannot be read',
      tensor('blk.0.ffn_up.weight', [1, 256], 10),
      {},
      'model.unsupported',
      /ffn_up\.weight stored as Q2_K.*F32, F16, BF16, Q8_0/,
    ],
  ])('refuses a tensor %s', async (_, spec, changes, code, words) => {
    const error = await failure(named([spec], changes));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(words);
  });
});

describe('a GGUF file of a model', () => {
  const text = (value: string): TypedValue => ({ type: 'string', value });
  const count = (value: number): TypedValue => ({ type: 'uint32', value });
  const llama = {
    'general.architecture': text('llama'),
    'llama.block_count': count(1),
    'llama.context_length': count(8),
    'llama.embedding_length': count(4),
    'llama.feed_forward_length': count(4),
    'llama.attention.head_count': count(1),
    'llama.attention.layer_norm_rms_epsilon': { type: 'float32', value: 1e-5 },
  } as const;

  it.each<[string, Readonly<Record<string, TypedValue>>, string, RegExp]>([
    [
      'of an unknown architecture',
      { 'general.architecture': text('mamba') },
      'model.unsupported',
      /"mamba".*llama, qwen2/,
    ],
    [
      'of a dangerous architecture',
      { 'general.architecture': text('constructor') },
      'model.unsupported',
      /constructor/,
    ],
    ['in parts', { ...llama, 'split.count': count(3) }, 'model.unsupported', /split into 3 files.*merge/],
    ['with experts', { ...llama, 'llama.expert_count': count(8) }, 'model.unsupported', /with experts/],
    [
      'whose layers differ',
      { ...llama, 'llama.attention.head_count_kv': { type: 'array', of: 'int32', values: [1, 2] } },
      'model.unsupported',
      /head_count_kv for each layer/,
    ],
    [
      'that does not say its kind',
      { 'llama.block_count': count(1) },
      'file.malformed',
      /general\.architecture/,
    ],
    [
      'whose kind is a number',
      { 'general.architecture': count(1) },
      'file.malformed',
      /general\.architecture/,
    ],
    [
      'with a negative count',
      { ...llama, 'llama.block_count': { type: 'int32', value: -1 } },
      'file.malformed',
      /llama\.block_count/,
    ],
    [
      'with a text for a count',
      { ...llama, 'llama.context_length': text('many') },
      'file.malformed',
      /llama\.context_length/,
    ],
    [
      'scaled in an unknown way',
      { ...llama, 'llama.rope.scaling.type': text('odd') },
      'file.malformed',
      /llama\.rope\.scaling\.type should be none, linear or yarn/,
    ],
    ['without an embedding', llama, 'model.missingWeight', /token_embd\.weight/],
  ])('%s is refused', async (name, metadata, code, words) => {
    const tensors = name === 'without an embedding' ? [] : [tensor('token_embd.weight', [3, 4])];
    const path = await written(tensors, metadata);
    const error = await failure(openModelFiles(path));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(words);
    expect(error.message).toContain(path);
  });
});
