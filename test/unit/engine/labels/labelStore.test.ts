/** What is kept of labels, whose come first, and what a search finds. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { labelPath } from '../../../../src/engine/labels/labelFile.ts';
import { LabelStore } from '../../../../src/engine/labels/labelStore.ts';
import type { LabelRow } from '../../../../src/engine/labels/neuronpediaRows.ts';
import { labelSourceOf } from '../../../../src/shared/labelSource.ts';
import { temporaryFolder } from '../../temporaryFolder.ts';

const source = 'gpt2-small/8-res-jb';
const gpt4 = 'Neuronpedia · gpt-4o-mini';
const claude = 'Neuronpedia · claude';

const row = (index: number, text: string, origin = gpt4, of = source): LabelRow => ({
  source: of,
  index,
  text,
  origin,
});

const opened: LabelStore[] = [];

async function newStore(folder?: string): Promise<{ store: LabelStore; folder: string }> {
  const place = folder ?? (await temporaryFolder());
  const store = new LabelStore(place);
  opened.push(store);
  return { store, folder: place };
}

afterEach(async () => {
  for (const store of opened.splice(0)) await store.close();
});

const sources = (...names: string[]) => names.map((name) => ({ source: name, builtIn: [] }));
const found = (labels: readonly { readonly index: number }[]) => labels.map(({ index }) => index);

describe('labels that were imported', () => {
  test('are known by feature, and again after the store is opened anew', async () => {
    const { store, folder } = await newStore();
    await store.add([row(3, 'names of months'), row(7, 'numbers')]);
    expect(store.labelOf(source, 3)).toEqual({ source, index: 3, text: 'names of months', origin: gpt4 });
    const { store: later } = await newStore(folder);
    expect(later.labelOf(source, 3)).toBeUndefined();
    await later.load(source);
    expect(later.labelOf(source, 7)?.text).toBe('numbers');
    expect(later.labelOf(source, 8)).toBeUndefined();
  });

  test('of the same author replace older ones; those of the author imported last come first', async () => {
    const { store } = await newStore();
    await store.add([row(3, 'months'), row(4, 'years')]);
    await store.add([row(3, 'the word March', claude)]);
    expect(store.labelOf(source, 3)?.text).toBe('the word March');
    expect(store.labelOf(source, 4)?.text).toBe('years');
    await store.add([row(3, 'names of months')]);
    expect(store.labelOf(source, 3)).toMatchObject({ text: 'names of months', origin: gpt4 });
    expect(store.originOf(source)).toBe(gpt4);
    const described = await store.describe();
    expect(described).toEqual([
      { source, labels: 2, origin: gpt4 },
      { source, labels: 1, origin: claude },
    ]);
  });

  test('tell how many each source got, imports one after the other even when started together', async () => {
    const { store } = await newStore();
    const many = await Promise.all(
      Array.from({ length: 8 }, (_, i) => store.add([row(i, `label ${i}`), row(i, 'x', gpt4, 'm/other')])),
    );
    expect(many[5]).toEqual([
      { source, labels: 1, skipped: 0 },
      { source: 'm/other', labels: 1, skipped: 0 },
    ]);
    expect((await store.describe()).map(({ labels }) => labels)).toEqual([8, 8]);
  });

  test('whatever their source is called, lie in the folder of labels', async () => {
    const { store, folder } = await newStore();
    const hostile = ['../../escape', '/etc/passwd', '..', 'a\u0000b', 'con', 'x/y/z', 'ünï/😀'];
    for (const of of hostile) await store.add([row(0, 'label', gpt4, of)]);
    expect(readdirSync(folder)).toEqual(['labels']);
    expect(readdirSync(join(folder, 'labels'))).toHaveLength(hostile.length);
    expect((await store.describe()).map((it) => it.source).sort()).toEqual([...hostile].sort());
  });

  test('in a damaged file are put aside, and do not stop new ones', async () => {
    const { store, folder } = await newStore();
    const path = labelPath(join(folder, 'labels'), source);
    mkdirSync(join(folder, 'labels'));
    writeFileSync(path, '{"version":1,"source":"s","origins":[{"origin":"me","labels":[[1.5,"x"]]}]}');
    await store.add([row(1, 'x')]);
    expect(store.labelOf(source, 1)?.text).toBe('x');
    expect(readFileSync(`${path}.damaged`, 'utf8')).toContain('1.5');
    expect(await store.describe()).toEqual([{ source, labels: 1, origin: gpt4 }]);
  });
});

describe("the user's own labels", () => {
  test('stand before imported ones, and are replaced as a whole', async () => {
    const { store } = await newStore();
    await store.add([row(3, 'months')]);
    await store.setUserLabels([{ source, index: 3, text: 'calendar', origin: 'yours' }]);
    expect(store.labelOf(source, 3)).toMatchObject({ text: 'calendar', origin: 'yours' });
    await store.setUserLabels([]);
    expect(store.labelOf(source, 3)?.text).toBe('months');
  });

  test('are found, also when they change after the first search', async () => {
    const { store } = await newStore();
    await store.setUserLabels([{ source, index: 3, text: 'calendar words', origin: 'yours' }]);
    expect(found(await store.find('calendar', sources(source), 10))).toEqual([3]);
    await store.setUserLabels([{ source, index: 9, text: 'calendar dates', origin: 'yours' }]);
    expect(found(await store.find('calendar', sources(source), 10))).toEqual([9]);
  });
});

describe('search', () => {
  const labels = [
    row(1, 'names of months such as March'),
    row(2, 'mentions of calendar years'),
    row(3, 'the word march in the sense of walking'),
    row(4, 'Café and naïve: accented words'),
    row(5, '数字和日期'),
  ];

  test('takes every word, whole or begun, without regard to case, accents and endings', async () => {
    const { store } = await newStore();
    await store.add(labels);
    const find = async (text: string) => found(await store.find(text, sources(source), 10));
    expect(await find('features about months')).toEqual([1]);
    expect(await find('MONTH')).toEqual([1]);
    expect((await find('march')).sort()).toEqual([1, 3]);
    expect(await find('march walk')).toEqual([3]);
    expect(await find('cafe')).toEqual([4]);
    expect(await find('calend')).toEqual([2]);
    expect(await find('数字')).toEqual([5]);
  });

  test('finds labels with any of the words when none has all', async () => {
    const { store } = await newStore();
    await store.add(labels);
    const indices = found(await store.find('walking years', sources(source), 10));
    expect(indices.sort()).toEqual([2, 3]);
  });

  test('takes operators of the query language for plain text, and nothing for nothing', async () => {
    const { store } = await newStore();
    await store.add(labels);
    for (const text of [
      '"',
      'text:march" OR "',
      'a* NOT b',
      '(((',
      "'; DROP TABLE label; --",
      '*',
      '',
      '   ',
      'NEAR(',
    ]) {
      await store.find(text, sources(source), 10);
    }
    expect(found(await store.find('"march" NOT', sources(source), 10)).length).toBeGreaterThan(0);
    expect(await store.find('  ', sources(source), 10)).toEqual([]);
    expect(await store.find('"()*', sources(source), 10)).toEqual([]);
  });

  test('puts labels of the sources that are looked at before others of the model, and leaves other models out', async () => {
    const { store } = await newStore();
    await store.add([
      row(1, 'months', gpt4, 'gpt2-small/5-res-jb'),
      row(2, 'months, months, months', gpt4, 'gpt2-small/6-res-jb'),
      row(3, 'months', gpt4, 'gemma-2-2b/0-res'),
    ]);
    const labelsFound = await store.find('months', sources('gpt2-small/5-res-jb'), 10);
    expect(labelsFound.map((label) => label.source)).toEqual(['gpt2-small/5-res-jb', 'gpt2-small/6-res-jb']);
  });

  test('knows labels that an SAE brings along, and imported ones that came after a search', async () => {
    const { store } = await newStore();
    const builtIn = [{ source: 'hook@1', index: 12, text: 'gender pronouns', origin: 'Fovea' }];
    const asked = [{ source: 'hook@1', builtIn }];
    expect(await store.find('pronoun', asked, 5)).toEqual(builtIn);
    await store.add([row(2, 'pronouns of women', gpt4, 'hook@1')]);
    expect(new Set(found(await store.find('pronoun', asked, 5)))).toEqual(new Set([2, 12]));
  });

  test('keeps to the limit and can be cancelled', async () => {
    const { store } = await newStore();
    await store.add(Array.from({ length: 50 }, (_, i) => row(i, `thing ${i}`)));
    expect(await store.find('thing', sources(source), 7)).toHaveLength(7);
    const signal = AbortSignal.abort();
    await expect(store.find('thing', sources(source), 7, { signal })).rejects.toMatchObject({
      code: 'cancelled',
    });
  });
});

test('features are named by Neuronpedia where they are known there, else by hook and hash', () => {
  const info = { hook: 'blocks.1.hook_resid_post', hash: 'abcd' };
  expect(labelSourceOf({ ...info, neuronpediaId: source })).toBe(source);
  expect(labelSourceOf(info)).toBe('blocks.1.hook_resid_post@abcd');
});
