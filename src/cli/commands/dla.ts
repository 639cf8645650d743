/** `fovea dla`: direct logit attribution of a prompt's contrast to components, and to the features of an SAE. */

import type { ResidualAttribution } from '../../shared/analysis.ts';
import type { FeatureAttribution } from '../../shared/attributionApi.ts';
import { formatNumber, formatSigned, formatToken } from '../../shared/format.ts';
import { countOption, positionOption } from '../arguments.ts';
import { type Command, chooseSae, openModel, readContrast, readPrompt } from '../context.ts';
import { renderTable } from '../table.ts';

/** Feature attribution, and the hook it is about. */
interface OfSae extends FeatureAttribution {
  readonly hook: string;
}

export const dla: Command = {
  summary: 'which components and features wrote an answer (direct logit attribution)',
  usage: '<prompt | file | -> [--contrast ANSWER --contrast WRONG] [options]',
  options: {
    contrast: {
      type: 'string',
      multiple: true,
      placeholder: 'TOKEN',
      about: 'the answer, then the wrong answer (default: the most probable token alone)',
    },
    position: {
      type: 'string',
      placeholder: 'N',
      about: 'the position that is read, from 0 (default: the last)',
    },
    sae: {
      type: 'string',
      placeholder: 'HOOK',
      about: 'an SAE that writes to the stream: its features one by one, with bias and error',
    },
    top: { type: 'string', placeholder: 'N', about: 'components and features to show (default 20)' },
  },
  async run(context) {
    const { call, engine, line } = context;
    const text = readPrompt(line);
    const top = countOption(line, 'top', 20);
    const contrast = readContrast(line);
    const model = await openModel(context);
    const look = { model: model.id, text, saes: [], topFeatures: 0, topPredictions: 1, edits: [], contrast };
    const { run, strip, contrast: atEnd } = await engine.analyze(look, call);
    const { tokens } = strip;
    const position = positionOption(line, tokens.length);
    const found = await engine.residualAttribution({ run, contrast, position }, call);
    const sae = line.options.sae === undefined ? undefined : await chooseSae(context, model);
    const features = sae && {
      hook: sae.hook,
      ...(await engine.featureAttribution({ run, sae: sae.id, contrast, position }, call)),
    };
    // What the model itself gave there, to hold the sum against; it was computed without taking anything apart.
    const measured = position === tokens.length - 1 ? atEnd : undefined;
    const token = tokens[position]?.text ?? '';
    context.print({ model: model.name, token, ...found, measured, features }, () =>
      [
        `${found.what} at ${formatToken(token)}, position ${position}`,
        componentTable(found, measured, top),
        ...(features ? [featureTable(features, top)] : []),
      ].join('\n\n'),
    );
  },
};

/** The largest components, the others as one row, and their sum beside what the model gave. */
function componentTable(
  { components, total }: ResidualAttribution,
  measured: number | undefined,
  top: number,
): string {
  const sorted = [...components].sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
  const rest = sorted.slice(top);
  const rows: (readonly [string, number])[] = sorted
    .slice(0, top)
    .map(({ component, value }) => [component, value]);
  if (rest.length > 0) rows.push([`${formatNumber(rest.length)} smaller components`, sumOf(rest)]);
  rows.push(['sum of all', sumOf(components)], ['logits', measured ?? total]);
  return renderTable(
    [{ title: 'component' }, { title: 'logits', align: 'right' }],
    rows.map(([name, value]) => [name, formatSigned(value)]),
  );
}

/** The largest features, then what else the hook holds; the rows add up to what the whole hook adds. */
function featureTable({ hook, features, bias, error, total }: OfSae, top: number): string {
  const rest = features.slice(top);
  const rows = features
    .slice(0, top)
    .map(({ index, activation, value }) => [
      `feature ${index}`,
      formatNumber(activation),
      formatSigned(value),
    ]);
  if (rest.length > 0) {
    rows.push([`${formatNumber(rest.length)} smaller features`, '', formatSigned(sumOf(rest))]);
  }
  const others = [
    ['SAE bias', bias],
    ['SAE error', error],
    ['sum of all', sumOf(features) + bias + error],
    ['the whole hook', total],
  ] as const;
  const columns = [
    { title: hook },
    { title: 'activation', align: 'right' },
    { title: 'logits', align: 'right' },
  ] as const;
  return renderTable(columns, [...rows, ...others.map(([name, value]) => [name, '', formatSigned(value)])]);
}

function sumOf(parts: readonly { readonly value: number }[]): number {
  return parts.reduce((sum, { value }) => sum + value, 0);
}
