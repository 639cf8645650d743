/** `fovea shift`: takes an unintended signal out of a classifier by ablating the features that carry it (Marks et al. 2024). */

import { realpathSync } from 'node:fs';
import { featureName } from '../../shared/describeShift.ts';
import type { FeatureRef, ModelInfo, SaeId, SaeInfo } from '../../shared/domain.ts';
import { formatNumber, formatText } from '../../shared/format.ts';
import { methodDefaults } from '../../shared/methodDefaults.ts';
import type { ShiftAccuracy, ShiftFindings, ShiftOutcome, ShiftRequest } from '../../shared/shiftApi.ts';
import { CommandLineError, countOption, listOption, textOption } from '../arguments.ts';
import { type Command, type Context, openModel } from '../context.ts';
import { renderTable } from '../table.ts';

export const shift: Command = {
  summary: 'take gender out of a classifier of professions, feature by feature',
  usage: '[PROFESSION PROFESSION] [options]',
  options: {
    hook: {
      type: 'string',
      placeholder: 'HOOK',
      about: 'what the classifier reads (default: the stream after the middle layer)',
    },
    sae: {
      type: 'string',
      multiple: true,
      placeholder: 'HOOK|FOLDER',
      about:
        'SAE whose features may go; several times for several (default: the streams up to the classifier)',
    },
    train: { type: 'string', placeholder: 'N', about: 'biographies to train on (default 500)' },
    test: { type: 'string', placeholder: 'N', about: 'biographies to test on (default 400)' },
    features: { type: 'string', placeholder: 'N', about: 'features to look at, strongest first' },
    ablate: {
      type: 'string',
      placeholder: 'benchmark|HOOK:INDEX,…',
      about: 'ablate those that the generator knows to be gender, or those named',
    },
    seed: {
      type: 'string',
      placeholder: 'N',
      about: `where the random numbers begin (default ${methodDefaults.seed})`,
    },
  },
  async run(context) {
    const model = await openModel(context);
    const saes = await chooseSaes(context, model);
    const request = readRequest(context, model, saes);
    const ablate = textOption(context.line, 'ablate');
    if (ablate === undefined) {
      const found = await context.engine.findShiftFeatures(request, context.call);
      return context.print(found, () => describeFindings(found));
    }
    const features = ablate === 'benchmark' ? ablate : readFeatures(ablate, saes);
    const outcome = await context.engine.applyShift({ ...request, ablate: features }, context.call);
    context.print(outcome, () => describeOutcome(outcome));
  },
};

function readRequest({ line }: Context, model: ModelInfo, saes: readonly SaeInfo[]): ShiftRequest {
  const [first, second, more] = line.words;
  if (more !== undefined || (first !== undefined && second === undefined)) {
    throw new CommandLineError('Give two professions, or none for the usual ones.');
  }
  const features = textOption(line, 'features');
  return {
    model: model.id,
    saes: saes.map(({ id }) => id),
    hook: textOption(line, 'hook'),
    ...(first !== undefined && second !== undefined && { professions: [first, second] }),
    trainCount: countOption(line, 'train', 500),
    testCount: countOption(line, 'test', 400),
    ...(features !== undefined && { maxFeatures: countOption(line, 'features', 1) }),
    seed: countOption(line, 'seed', methodDefaults.seed, 0),
  };
}

/** The SAEs that the line names, or those of the streams up to the classifier. */
async function chooseSaes(context: Context, model: ModelInfo): Promise<readonly SaeInfo[]> {
  const { engine, line, call } = context;
  const named = listOption(line, 'sae');
  const folders = named.flatMap((name) => realFolder(name));
  const all = (await engine.listSaes({ model: model.id, folders }, call)).filter((sae) => !sae.problem);
  if (named.length > 0) return named.map((name) => namedSae(all, name));
  const hook = textOption(line, 'hook');
  const top =
    hook === undefined ? Math.floor(model.nLayers / 2) : Number(/^blocks\.(\d+)\./.exec(hook)?.[1] ?? 0);
  const found = all.filter(({ hook: own, layer }) => layer <= top && own.endsWith('hook_resid_post'));
  const usable = found.filter(
    ({ layer }) => layer < top || hook === undefined || hook.endsWith('hook_resid_post'),
  );
  if (usable.length > 0) return usable;
  throw new CommandLineError('This model has no SAEs on its streams up to there. Name some with --sae.');
}

function realFolder(name: string): readonly string[] {
  try {
    return [realpathSync(name)];
  } catch {
    return [];
  }
}

function namedSae(all: readonly SaeInfo[], name: string): SaeInfo {
  const [folder] = realFolder(name);
  const found = all.find(({ id, hook }) => id === folder || hook === name);
  if (found) return found;
  const known = all.map(({ hook }) => `  ${formatText(hook)}`).join('\n');
  throw new CommandLineError(`There is no SAE for "${name}". This model has SAEs for:\n${known}`);
}

/** `blocks.1.hook_resid_post:42,…` */
function readFeatures(text: string, saes: readonly SaeInfo[]): readonly FeatureRef[] {
  return text.split(',').map((part) => {
    const at = part.lastIndexOf(':');
    const index = Number(part.slice(at + 1));
    if (at < 1 || !Number.isInteger(index) || index < 0) {
      throw new CommandLineError(`A feature is written HOOK:INDEX, not "${part}".`);
    }
    return { sae: namedSae(saes, part.slice(0, at).trim()).id as SaeId, index };
  });
}

function describeFindings({ professions, hook, before, features }: ShiftFindings): string {
  const rows = features.map((feature) => [
    feature.hook,
    String(feature.feature.index),
    formatNumber(feature.effect),
    formatNumber(feature.tellsGender),
    formatNumber(feature.tellsProfession),
    feature.isGender ? 'yes' : '',
    formatText(featureName(feature)),
  ]);
  const columns = [
    { title: 'hook' },
    { title: 'feature', align: 'right' as const },
    { title: 'effect', align: 'right' as const },
    { title: 'tells gender', align: 'right' as const },
    { title: 'profession', align: 'right' as const },
    { title: 'gender?' },
    { title: 'label' },
  ];
  return [
    `A classifier of ${professions.join(' and ')} on the mean of ${hook}, trained where gender gives them away.`,
    accuracyTable([['before', before]]),
    renderTable(columns, rows),
  ].join('\n\n');
}

function describeOutcome({ before, after, retrained, baselines, ablated }: ShiftOutcome): string {
  const rows: (readonly [string, ShiftAccuracy])[] = [
    ['before', before],
    ['ablated', after],
    ['ablated, trained again', retrained],
    ['concept words', baselines.conceptBottleneck],
    ['random features', baselines.random],
    ['as many neurons (knows the labels)', baselines.neurons],
    ['balanced training', baselines.oracle],
  ];
  return `${ablated.length} features ablated.\n\n${accuracyTable(rows)}`;
}

function accuracyTable(rows: readonly (readonly [string, ShiftAccuracy])[]): string {
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
  const [first] = rows;
  const groups = first?.[1].groups ?? [];
  const columns = [
    { title: '' },
    ...['profession', 'gender', 'worst group'].map((title) => ({ title, align: 'right' as const })),
    ...groups.map(({ profession, gender }) => ({
      title: `${gender} ${profession}`,
      align: 'right' as const,
    })),
  ];
  const cells = rows.map(([name, accuracy]) => [
    name,
    ...[accuracy.profession, accuracy.gender, accuracy.worstGroup].map(percent),
    ...accuracy.groups.map((group) => percent(group.accuracy)),
  ]);
  return renderTable(columns, cells);
}
