/** From a task's file to what methods run: pairs with faults stay out, a header with faults stops everything. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadTokenizer, type Tokenizer } from '../../../../src/engine/model/tokenizer.ts';
import { countLines, loadTask } from '../../../../src/engine/task/loadTask.ts';
import { readTaskText } from '../../../../src/engine/task/taskFile.ts';
import { failure, temporaryFolder } from '../../temporaryFolder.ts';

let tokenizer: Tokenizer;
beforeAll(async () => {
  tokenizer = await loadTokenizer(join(import.meta.dirname, '../../../../models/mini'));
});

const pair = { clean: 'When Mary gave', corrupted: 'When John gave', answer: ' to', wrongAnswer: ' a' };

async function load(...lines: readonly object[]) {
  const path = join(await temporaryFolder(), 'one.task.jsonl');
  await writeFile(path, lines.map((line) => JSON.stringify(line)).join('\n'));
  return loadTask({ kind: 'file', path }, { tokenizer, bos: undefined, nContext: 64 });
}

describe('loadTask', () => {
  it('leaves out pairs that cannot be run', async () => {
    const { task } = await load({ metric: 'kl' }, pair, { ...pair, corrupted: 'When John gave it' });
    expect(task.pairs).toHaveLength(1);
  });

  it.each([
    ['a metric that there is not', [{ metric: 'foo' }, pair], 'line 1: "metric" should be one of'],
    [
      'a field that there is not',
      [{ name: 'n', metrics: 'kl' }, pair],
      'line 1: There is no field "metrics"',
    ],
    ['a header behind the pairs', [pair, { metric: 'kl' }], 'line 2: A header can only be the first line'],
  ])('refuses %s', async (_, lines, words) => {
    const error = await failure(load(...lines));
    expect(error.code).toBe('request.invalid');
    expect(error.message).toContain('its header cannot be used');
    expect(error.message).toContain(words);
  });

  it('counts lines that should be pairs, and no headers among them', () => {
    const lines = [{ metric: 'foo' }, pair, { clean: 'x' }, { metric: 'kl' }];
    const read = readTaskText('t.task.jsonl', lines.map((line) => JSON.stringify(line)).join('\n'));
    expect(read.faultyHeaders).toEqual([1, 4]);
    expect(countLines(read)).toBe(2);
  });
});
