/** The user's own labels as a file. */
import { describe, expect, test } from 'vitest';
import {
  checkLabelFileSize,
  maxLabelFileBytes,
  readLabelFile,
  withLabel,
  writeLabelFile,
} from '../../../src/host/labelFile.ts';
import type { FeatureLabel } from '../../../src/shared/labelApi.ts';

const label = (source: string, index: number, text: string): FeatureLabel => ({
  source,
  index,
  text,
  origin: 'yours',
});

test('labels come back as they were written, in an order of their own', () => {
  const labels = [label('b', 10, 'ten'), label('b', 9, 'nine "quoted"\n'), label('a', 3, '数字 </script>')];
  const text = writeLabelFile(labels);
  expect(readLabelFile('f', text)).toEqual([labels[2], labels[1], labels[0]]);
  expect(writeLabelFile([...labels].reverse())).toBe(text);
  expect(text.split('\n').filter((line) => line.includes('"index"'))).toHaveLength(3);
  expect(text.endsWith('}\n')).toBe(true);
});

test('a file without labels is whole JSON too', () => {
  expect(readLabelFile('f', writeLabelFile([]))).toEqual([]);
});

describe('a file that is wrong is told with the place', () => {
  test.each([
    ['no JSON', '{', /content/],
    ['another version', '{"version":2,"labels":[]}', /version/],
    ['an index below 0', '{"version":1,"labels":[{"source":"a","index":-1,"text":"x"}]}', /labels\.0\.index/],
    ['an empty text', '{"version":1,"labels":[{"source":"a","index":1,"text":""}]}', /labels\.0\.text/],
    ['no source', '{"version":1,"labels":[{"index":1,"text":"x"}]}', /labels\.0\.source/],
    [
      'a long text',
      JSON.stringify({ version: 1, labels: [{ source: 'a', index: 1, text: 'x'.repeat(501) }] }),
      /labels\.0\.text/,
    ],
  ])('%s', (_, text, place) => {
    expect(() => readLabelFile('/w/fovea.labels.json', text)).toThrow(place);
    expect(() => readLabelFile('/w/fovea.labels.json', text)).toThrow(/fovea\.labels\.json/);
  });
});

test('one label takes the place of an older one of the same feature, and an empty one takes it away', () => {
  const labels = [label('a', 1, 'one'), label('b', 1, 'other')];
  expect(withLabel(labels, { source: 'a', index: 1 }, 'first')).toEqual([labels[1], label('a', 1, 'first')]);
  expect(withLabel(labels, { source: 'a', index: 1 }, '')).toEqual([labels[1]]);
  expect(withLabel(labels, { source: 'c', index: 2 }, '')).toEqual(labels);
});

test('a file that is too large to be one of labels is not read, and one with too many is refused', () => {
  expect(() => checkLabelFileSize('/w/fovea.labels.json', maxLabelFileBytes)).not.toThrow();
  expect(() => checkLabelFileSize('/w/fovea.labels.json', maxLabelFileBytes + 1)).toThrow(/file size/);
  const many = `{"version":1,"labels":[${'0,'.repeat(100_000)}0]}`;
  expect(() => readLabelFile('/w/fovea.labels.json', many)).toThrow(/labels.*100000/);
});
