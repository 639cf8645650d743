/** Failures in words, and the one thing that helps: another one for each kind of file. */
import { describe, expect, it, vi } from 'vitest';
import { silentLog } from '../../../src/host/log.ts';
import { remedyFor, showError } from '../../../src/host/wordError.ts';
import { EngineError } from '../../../src/shared/errors.ts';
import { window, workspace } from '../../fixtures/vscodeStub.ts';

const malformed = (path: string) =>
  new EngineError('file.malformed', { path, field: 'a', expected: 'b', found: 'c' });

/** What a notification says, and its button. */
function told(error: unknown, again?: 'importCircuit'): readonly string[] {
  const shown: string[] = [];
  Object.assign(window, {
    showErrorMessage: async (...words: readonly string[]) => void shown.push(...words),
  });
  Object.assign(workspace, { asRelativePath: (path: string) => path.split('/').at(-1) });
  showError(error, silentLog, again);
  return shown;
}

describe('the remedy', () => {
  it.each([
    ['/models/x/config.json', 'chooseModel'],
    ['/models/x/model-00001.safetensors', 'chooseModel'],
    ['/models/x/tokenizer.json', 'chooseModel'],
    ['/models/x', 'chooseModel'],
    ['/work/notes.json', 'showLog'],
    ['/work/task.jsonl', 'showLog'],
  ])('for %s is %s', (path, command) => {
    expect(remedyFor(malformed(path)).command).toBe(command);
  });

  it('of a command that asks for a file is another file', () => {
    expect(told(malformed('/work/a.json'), 'importCircuit')[1]).toBe('Choose Another File…');
  });

  it('of a file that people write leads to its problem, and the words name it without its folders', () => {
    expect(told(malformed('/home/me/work/ioi.fovea.json'))).toEqual([
      'ioi.fovea.json: a should be b, but is c.',
      'Show Problem',
    ]);
    expect(told(malformed('/models/x/config.json'))[1]).toBe('Choose Model…');
  });

  it('is none for what was cancelled', () => {
    expect(told(new EngineError('cancelled', {}))).toEqual([]);
    vi.restoreAllMocks();
  });
});
