/** `fovea sae`: which SAEs there are in folders and for a model, whether one is read right, and exports for other libraries. */

import { existsSync, readFileSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { formatText } from '../../shared/format.ts';
import { CommandLineError, countOption, textOption } from '../arguments.ts';
import { type Command, type Context, openModel } from '../context.ts';
import { renderTable } from '../table.ts';

export const sae: Command = {
  summary: 'list SAEs, public releases, check or export one',
  usage: '<list [FOLDER…] | releases | check SAE | export SAE> [options]',
  options: {
    format: { type: 'string', placeholder: 'SAELens|dictionary_learning', about: 'export: what it is for' },
    out: { type: 'string', placeholder: 'FOLDER', about: 'export: the folder to write' },
    text: {
      type: 'string',
      placeholder: 'FILE',
      about: 'check: text to measure on, instead of the built-in one',
    },
    top: { type: 'string', placeholder: 'N', about: 'releases: SAEs to show of each release (default 3)' },
  },
  async run(context) {
    const [what, ...rest] = context.line.words;
    if (what === 'list') return list(context, rest);
    if (what === 'releases' && rest.length === 0) return releases(context);
    if (what === 'check' && rest.length === 1) return checked(context, rest[0]!);
    if (what === 'export' && rest.length === 1) return exported(context, rest[0]!);
    throw new CommandLineError('Say list, releases, or check or export with an SAE.');
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

/** How well the SAE reconstructs as it is read, and what would reconstruct better. */
async function checked(context: Context, named: string): Promise<void> {
  const { id } = await openModel(context);
  const file = textOption(context.line, 'text');
  if (file !== undefined && !existsSync(file)) throw new CommandLineError(`There is no file ${file}.`);
  const text = file === undefined ? undefined : readFileSync(file, 'utf8');
  const request = {
    model: id,
    sae: resolve(named),
    ...(text !== undefined && { text, textName: basename(file!) }),
  };
  const found = await context.engine.checkSae(request, context.call);
  context.print(found, () => {
    const columns = [
      { title: 'reading' },
      { title: 'variance', align: 'right' as const },
      { title: 'L0', align: 'right' as const },
      { title: 'cosine', align: 'right' as const },
    ];
    const rows = [found.current, ...found.alternatives].map(({ what, explainedVariance, l0, cosine }) => [
      formatText(what),
      explainedVariance.toFixed(3),
      l0.toFixed(1),
      cosine.toFixed(3),
    ]);
    const stated = found.statedL0 === undefined ? '' : `; it states an L0 of ${found.statedL0}`;
    const measured = `Measured on ${found.tokens} tokens of ${formatText(found.text)}${stated}.`;
    return [verdictWords[found.verdict], measured, renderTable(columns, rows)].join('\n');
  });
}

const verdictWords = {
  good: 'good: it reconstructs as it is read.',
  fair: 'fair: it reconstructs in part, and no other reading helps.',
  poor: 'poor: it does not reconstruct, and no other reading helps.',
  other: 'other: the second reading reconstructs better, or as well with less.',
} as const;

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
