/** Tables line up in a terminal whatever the cells hold. */
import { describe, expect, it } from 'vitest';
import { displayWidth, renderTable } from '../../../src/cli/table.ts';

describe('renderTable', () => {
  it('aligns columns under their headings, numbers to the right', () => {
    const columns = [{ title: 'token' }, { title: 'p', align: 'right' as const }, { title: 'label' }];
    const rows = [
      ['·Paris', '97 %', 'capitals'],
      ['·the', '3.1 %', ''],
    ];
    expect(renderTable(columns, rows).split('\n')).toEqual([
      'token       p  label',
      '──────  ─────  ────────',
      '·Paris   97 %  capitals',
      '·the    3.1 %',
    ]);
  });

  it('makes a column as wide as its heading, and stands without rows or with missing cells', () => {
    expect(renderTable([{ title: 'feature' }, { title: 'n' }], [['a']])).toBe('feature  n\n───────  ─\na');
    expect(renderTable([{ title: 'feature' }], [])).toBe('feature\n───────');
  });

  it('counts wide characters as two columns', () => {
    const columns = [{ title: 'token' }, { title: 'n', align: 'right' as const }];
    const lines = renderTable(columns, [
      ['日本語', '1'],
      ['e\u0301', '22'],
    ]).split('\n');
    expect(lines.slice(2)).toEqual(['日本語   1', 'e\u0301       22']);
  });
});

describe('displayWidth', () => {
  it.each([
    ['', 0],
    ['Paris', 5],
    ['é', 1],
    ['e\u0301', 1],
    ['日本', 4],
    ['한글', 4],
    ['ｆ', 2],
    ['🙂', 2],
    ['\u{20000}', 2],
    ['a\u200bb', 2],
    ['·↵‹00›', 6],
  ])('of %j is %i', (text, width) => {
    expect(displayWidth(text)).toBe(width);
  });
});
