/** Tokenizers of repositories older than tokenizer.json, against the same one written in the newer form. */
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadTokenizer } from '../../../../src/engine/model/tokenizer.ts';
import { miniFolder } from '../../../fixtures/tinyModel.ts';
import { failure, temporaryFolder } from '../../temporaryFolder.ts';

/** The embedded model's tokenizer as GPT-2's repository of 2019 would have held it. */
async function oldFolder(config: object = { tokenizer_class: 'GPT2Tokenizer' }): Promise<string> {
  const folder = await temporaryFolder();
  const { model, added_tokens } = JSON.parse(await readFile(join(miniFolder, 'tokenizer.json'), 'utf8'));
  const vocab = { ...model.vocab };
  for (const { id, content } of added_tokens) vocab[content] = id;
  const merges = model.merges.map((merge: string | string[]) =>
    typeof merge === 'string' ? merge : merge.join(' '),
  );
  await writeFile(join(folder, 'vocab.json'), JSON.stringify(vocab));
  await writeFile(join(folder, 'merges.txt'), `#version: 0.2\n${merges.join('\n')}\n`);
  await writeFile(join(folder, 'tokenizer_config.json'), JSON.stringify(config));
  await copyFile(join(miniFolder, 'config.json'), join(folder, 'config.json'));
  return folder;
}

const texts = [
  'When Mary and John went, she said: "12 apples\'re   mine"\n\t',
  'né 数字 👩‍👩‍👧',
  '<|endoftext|>a',
];

describe('vocab.json and merges.txt', () => {
  it('give the tokens that tokenizer.json gives', async () => {
    const expected = await loadTokenizer(miniFolder);
    const found = await loadTokenizer(await oldFolder());
    expect(found.vocabSize).toBe(expected.vocabSize);
    for (const text of texts) expect(found.encode(text)).toEqual(expected.encode(text));
    expect(found.isSpecial(found.bosId!)).toBe(true);
    // The config of the model says so where that of the tokenizer does not.
    const unnamed = await loadTokenizer(await oldFolder({}));
    expect(unnamed.encode(texts[0]!).ids).toEqual(expected.encode(texts[0]!).ids);
  });

  it('put the beginning-of-sequence token first where the config says so, as for OPT', async () => {
    const config = { tokenizer_class: 'GPT2Tokenizer', bos_token: '<|endoftext|>', add_bos_token: true };
    expect((await loadTokenizer(await oldFolder(config))).bosPolicy).toBe('prepended');
    expect((await loadTokenizer(await oldFolder())).bosPolicy).toBe('none');
  });

  it('are not read as GPT-2’s when they are another kind’s, or half of them is missing', async () => {
    const other = await oldFolder({ tokenizer_class: 'Qwen2Tokenizer' });
    expect((await failure(loadTokenizer(other))).code).toBe('tokenizer.missing');
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'vocab.json'), '{"a":0}');
    expect((await failure(loadTokenizer(folder))).code).toBe('tokenizer.missing');
  });

  it('are refused with the place when they are damaged', async () => {
    const folder = await oldFolder();
    await writeFile(join(folder, 'merges.txt'), '#version: 0.2\nĠ t\nonly-one\n');
    expect((await failure(loadTokenizer(folder))).message).toMatch(/model\.merges\[1\]/);
    await writeFile(join(folder, 'vocab.json'), '[1]');
    expect((await failure(loadTokenizer(folder))).message).toMatch(/vocab\.json/);
  });
});
