/** Labels in the files that Neuronpedia hands out, whole and damaged. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { readLabelFiles } from '../../../../src/engine/labels/importLabels.ts';
import { failure, temporaryFolder } from '../../temporaryFolder.ts';

const explanation = (index: string | number, description: string, more = {}) => ({
  id: 'c0ffee',
  modelId: 'gpt2-small',
  layer: '8-res-jb',
  index,
  authorId: 'a',
  description,
  typeName: 'oai_token-act-pair',
  explanationModelName: 'gpt-4o-mini',
  embedding: [0.1, 0.2],
  ...more,
});

const lines = (...values: unknown[]) =>
  values.map((value) => (typeof value === 'string' ? value : JSON.stringify(value))).join('\n');

const source = 'gpt2-small/8-res-jb';
const origin = 'Neuronpedia · gpt-4o-mini';

describe('labels are read', () => {
  test('from a compressed export, whose damaged lines are counted and passed over', async () => {
    const path = join(await temporaryFolder(), 'batch-0.jsonl.gz');
    const noModel = explanation('9', 'x', { modelId: undefined });
    const text = lines(
      explanation('0', ' months '),
      '{"modelId": ',
      explanation(12, 'years'),
      '7',
      noModel,
      '',
    );
    writeFileSync(path, gzipSync(text));
    expect(await readLabelFiles([path], undefined)).toEqual({
      rows: [
        { source, index: 0, text: 'months', origin },
        { source, index: 12, text: 'years', origin },
      ],
      skipped: 3,
    });
  });

  test('from answers of the API: one feature, or a list', async () => {
    const folder = await temporaryFolder();
    const feature = {
      modelId: 'gpt2-small',
      layer: '8-res-jb',
      index: '5',
      explanations: [
        { description: 'commas', explanationModelName: 'claude', typeName: null },
        { description: 'pauses', explanationModelName: null, typeName: 'by hand' },
        { description: '' },
      ],
      activations: [{ tokens: ['a'], values: [1] }],
    };
    writeFileSync(join(folder, 'one.json'), JSON.stringify(feature));
    writeFileSync(
      join(folder, 'many.json'),
      JSON.stringify([{ ...feature, index: 6, explanations: [] }, feature]),
    );
    const rows = [
      { source, index: 5, text: 'commas', origin: 'Neuronpedia · claude' },
      { source, index: 5, text: 'pauses', origin: 'Neuronpedia · by hand' },
    ];
    expect(await readLabelFiles([join(folder, 'one.json')], undefined)).toEqual({ rows, skipped: 0 });
    expect(await readLabelFiles([join(folder, 'many.json')], undefined)).toEqual({ rows, skipped: 0 });
  });

  test('from a folder as it is downloaded, in the order of its batches', async () => {
    const folder = await temporaryFolder();
    mkdirSync(join(folder, '8-res-jb/explanations'), { recursive: true });
    for (const batch of [10, 2]) {
      const path = join(folder, `8-res-jb/explanations/batch-${batch}.jsonl.gz`);
      writeFileSync(path, gzipSync(lines(explanation(batch, `of batch ${batch}`))));
    }
    writeFileSync(join(folder, '8-res-jb/model.jsonl'), lines({ id: 'gpt2-small' }));
    writeFileSync(join(folder, 'readme.md'), 'nothing');
    const { rows, skipped } = await readLabelFiles([folder], undefined);
    expect(rows.map(({ index }) => index)).toEqual([2, 10]);
    expect(skipped).toBe(1);
  });

  test('for an SAE that is called otherwise here', async () => {
    const path = join(await temporaryFolder(), 'labels.jsonl');
    writeFileSync(path, lines(explanation('0', 'months')));
    const { rows } = await readLabelFiles([path], 'blocks.8.hook_resid_pre@ab12');
    expect(rows[0]!.source).toBe('blocks.8.hook_resid_pre@ab12');
  });
});

test.each(['-1', '1.5', '1e3', '99999999999', 'x', null])(
  'a feature cannot have the index %s',
  async (index) => {
    const path = join(await temporaryFolder(), 'labels.jsonl');
    writeFileSync(path, lines(explanation('3', 'good'), explanation(index as string, 'bad')));
    const { rows, skipped } = await readLabelFiles([path], undefined);
    expect([rows.length, skipped]).toEqual([1, 1]);
  },
);

test('files without a label, missing and broken files are told', async () => {
  const folder = await temporaryFolder();
  const empty = join(folder, 'activations.jsonl');
  writeFileSync(empty, lines({ tokens: ['a'], values: [1] }));
  expect((await failure(readLabelFiles([empty], undefined))).message).toMatch(
    /activations\.jsonl.*no label of a feature was found.*1 file and 1 other/,
  );
  expect((await failure(readLabelFiles([join(folder, 'none.jsonl')], undefined))).code).toBe('file.missing');
  const cut = join(folder, 'cut.jsonl.gz');
  writeFileSync(cut, gzipSync(lines(explanation('0', 'x'))).subarray(0, 40));
  expect((await failure(readLabelFiles([cut], undefined))).code).toBe('file.malformed');
});

test('reading can be cancelled', async () => {
  const path = join(await temporaryFolder(), 'labels.jsonl');
  writeFileSync(path, lines(explanation('0', 'x')));
  const work = readLabelFiles([path], undefined, { signal: AbortSignal.abort() });
  expect((await failure(work)).code).toBe('cancelled');
});
