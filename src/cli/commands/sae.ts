/** `fovea sae`: which SAEs there are in folders, which public ones there are for a model, and exports for other libraries. */

import { resolve } from 'node:path';
import { formatText } from '../../shared/format.ts';
import { CommandLineError, countOption, textOption } from '../arguments.ts';
import { type Command, type Context, openModel } from '../context.ts';
import { renderTable } from '../table.ts';

export const sae: Command = {
  summary: 'list SAEs, public releases, or export one for another library',
  usage: '<list [FOLDER…] | releases | export SAE> [options]',
  options: {
    format: { type: 'string', placeholder: 'SAELens|dictionary_learning', about: 'export: what it is for' },
    out: { type: 'string', placeholder: 'FOLDER', about: 'export: the folder to write' },
    top: { type: 'string', placeholder: 'N', about: 'releases: SAEs to show of each release (default 3)' },
  },
  async run(context) {
    const [what, ...rest] = context.line.words;
    if (what === 'list') return list(context, rest);
    if (what === 'releases' && rest.length === 0) return releases(context);
    if (what === 'export' && rest.length === 1) return exported(context, rest[0]!);
    throw new CommandLineError('Say list, releases, or export with the SAE to export.');
  },
};

async function list(context: Context, folders: readonly string[]): Promise<void> {
  const { id } = await openModel(context);
  const request = { model: id, folders: folders.map((folder) => resolve(folder)) };
  const saes = await context.engine.listSaes(request, context.call);
  context.print(saes, () => {
    const columns = [
      { title: 'SAE' },
      { title: 'hook' },
      { title: 'format' },
      { title: 'kind' },
      { title: 'features' },
    ];
    const rows = saes.map((one) => [
      one.id,
      one.hookOut ? `${one.hook} → ${one.hookOut}` : one.hook,
      one.format,
      `${one.architecture}${one.kind === 'sae' ? '' : ` ${one.kind}`}`,
      one.problem ? `${one.dSae} (not for this model)` : String(one.dSae),
    ]);
    return renderTable(columns, rows);
  });
}

async function releases(context: Context): Promise<void> {
  const top = countOption(context.line, 'top', 3);
  const { id } = await openModel(context);
  const found = await context.engine.listReleases({ model: id }, context.call);
  context.print(found, () => {
    const columns = [{ title: 'release' }, { title: 'id' }, { title: 'hook' }, { title: 'repository' }];
    const rows = found.flatMap(({ release, repo, saes }) =>
      saes.slice(0, top).map((one) => [release, formatText(one.id), one.hook ?? '', repo]),
    );
    return rows.length > 0 ? renderTable(columns, rows) : 'There are no public releases for this model.';
  });
}

async function exported(context: Context, named: string): Promise<void> {
  const format = textOption(context.line, 'format') ?? 'SAELens';
  if (format !== 'SAELens' && format !== 'dictionary_learning') {
    throw new CommandLineError(`--format takes SAELens or dictionary_learning, not "${format}".`);
  }
  const out = textOption(context.line, 'out');
  if (out === undefined) throw new CommandLineError('Say where to write with --out FOLDER.');
  const { id } = await openModel(context);
  const request = { sae: resolve(named), model: id, format, out: resolve(out) } as const;
  await context.engine.exportSae(request, context.call);
  context.print({ out: request.out }, () => `Written to ${request.out}`);
}
