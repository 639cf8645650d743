/** `fovea models`: the models that lie on this machine. */

import { resolve } from 'node:path';
import { formatBytes, formatText } from '../../shared/format.ts';
import type { LocalModel } from '../../shared/hubApi.ts';
import type { Command } from '../context.ts';
import { renderTable } from '../table.ts';

export const models: Command = {
  summary: 'the models of the Hugging Face cache and of folders',
  usage: '[folder …]',
  options: {},
  async run(context) {
    const folders = context.line.words.map((folder) => resolve(folder));
    const found = await context.engine.listLocalModels({ folders }, context.call);
    context.print(found, () => describe(found));
  },
};

function describe(found: readonly LocalModel[]): string {
  if (found.length === 0) return 'No models were found. fovea download owner/name fetches one.';
  const columns = [
    { title: 'model' },
    { title: 'kind' },
    { title: 'size', align: 'right' as const },
    { title: 'path' },
  ];
  const rows = found.map(({ name, family, source, bytes, path, problem }) => [
    formatText(name),
    formatText(family ?? (source === 'gguf' ? 'GGUF' : '')),
    formatBytes(bytes),
    formatText(problem === undefined ? path : `${path} (${problem})`),
  ]);
  return renderTable(columns, rows);
}
