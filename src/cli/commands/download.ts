/** `fovea download`: fetches a model or the folder of an SAE from the hub, after saying what and how much. */

import { createInterface } from 'node:readline/promises';
import { EngineError } from '../../shared/errors.ts';
import { formatBytes, formatText } from '../../shared/format.ts';
import type { DownloadPlan, HubPart, HubRequest } from '../../shared/hubApi.ts';
import { readHubName } from '../../shared/hubName.ts';
import { CommandLineError, textOption } from '../arguments.ts';
import type { Command, Context } from '../context.ts';
import { renderTable } from '../table.ts';

export const download: Command = {
  summary: 'fetch a model or an SAE from the hub',
  usage: '<owner/name> [options]',
  options: {
    revision: { type: 'string', placeholder: 'NAME', about: 'branch, tag or commit (default main)' },
    file: { type: 'string', placeholder: 'PATH', about: 'only this file, such as a .gguf model' },
    folder: { type: 'string', placeholder: 'PATH', about: 'everything below this folder, such as an SAE' },
    endpoint: {
      type: 'string',
      placeholder: 'URL',
      about: 'address of a mirror (default HF_ENDPOINT or https://huggingface.co)',
    },
    yes: { type: 'boolean', about: 'download without asking' },
  },
  async run(context) {
    const request = readRequest(context);
    // A mirror that is named is to be asked, even when the cache would do.
    const { path: cached } = request.endpoint ? {} : await context.engine.locateCached(request, context.call);
    if (cached !== undefined) return tell(context, cached, 'It is in the cache already.');
    const plan = await context.engine.planDownload(request, context.call);
    if (plan.toDownload > 0 && !(await confirm(context, plan))) {
      process.stderr.write('Nothing was downloaded.\n');
      return;
    }
    const { path } = await context.engine.download({ plan }, context.call);
    tell(
      context,
      path,
      plan.toDownload > 0 ? `Downloaded ${formatBytes(plan.toDownload)}.` : 'All files were there.',
    );
  },
};

function readRequest({ line }: Context): HubRequest {
  const [text, ...rest] = line.words;
  const name = text === undefined || rest.length > 0 ? undefined : readHubName(text);
  if (!name) {
    throw new CommandLineError('Name one repository: fovea download HuggingFaceTB/SmolLM2-135M');
  }
  const revision = textOption(line, 'revision') ?? name.revision;
  return { repo: name.repo, revision, what: readPart(line), endpoint: textOption(line, 'endpoint') };
}

function readPart(line: Context['line']): HubPart {
  const file = textOption(line, 'file');
  const folder = textOption(line, 'folder');
  if (file !== undefined && folder !== undefined)
    throw new CommandLineError('Give --file or --folder, not both.');
  if (file !== undefined) return { kind: 'file', path: file };
  if (folder !== undefined) return { kind: 'folder', path: folder.replace(/\/+$/, '') };
  return { kind: 'model' };
}

/** Says what would be fetched and asks; a program without a terminal has to be told --yes beforehand. */
async function confirm({ line }: Context, plan: DownloadPlan): Promise<boolean> {
  process.stderr.write(`${describePlan(plan)}\n`);
  if (line.options.yes === true) return true;
  if (!process.stdin.isTTY) throw new CommandLineError('Nobody can be asked here. Add --yes to download.');
  return /^y(es)?$/i.test((await ask('Download? [y/N] ')).trim());
}

/** One line from the terminal; the empty text at its end. @throws cancelled for Ctrl+C */
async function ask(question: string): Promise<string> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return await new Promise((resolve, reject) => {
      terminal.once('SIGINT', () => reject(new EngineError('cancelled', {})));
      terminal.once('close', () => resolve(''));
      terminal.question(question).then(resolve, reject);
    });
  } finally {
    terminal.close();
  }
}

function describePlan({ repo, revision, commit, endpoint, files, toDownload, cache }: DownloadPlan): string {
  const missing = files.filter(({ cached }) => !cached);
  const count = missing.length === 1 ? '1 file' : `${missing.length} files`;
  const table = renderTable(
    [{ title: 'file' }, { title: 'size', align: 'right' }, { title: '' }],
    files.map(({ path, size, cached }) => [
      formatText(path),
      formatBytes(size),
      cached ? 'in the cache' : '',
    ]),
  );
  return `${table}\n\n${formatBytes(toDownload)} (${count}) of ${repo} (${revision}, commit ${commit.slice(0, 7)})\nfrom ${endpoint}\ninto ${cache}`;
}

function tell(context: Context, path: string, words: string): void {
  context.print({ path }, () => `${words}\n${path}`);
}
