/** `fovea shift`: takes an unintended signal out of a classifier by ablating the features that carry it (Marks et al. 2024). */

import { realpathSync } from 'node:fs';
import { featureName, rangeOf, type ShiftRow, shiftRows } from '../../shared/describeShift.ts';
import type { FeatureRef, ModelInfo, SaeId, SaeInfo } from '../../shared/domain.ts';
import { formatNumber, formatText } from '../../shared/format.ts';
import { methodDefaults } from '../../shared/methodDefaults.ts';
import {
  type ShiftAccuracy,
  type ShiftEstimate,
  type ShiftFindings,
  type ShiftOutcome,
  type ShiftRequest,
  shiftDefaults,
} from '../../shared/shiftApi.ts';
import { saesBelow } from '../../shared/shiftSaes.ts';
import { shiftStrings } from '../../shared/shiftStrings.ts';
import { CommandLineError, countOption, listOption, textOption } from '../arguments.ts';
import { type Command, type Context, openModel } from '../context.ts';
import { renderTable } from '../table.ts';
import { estimateText } from './attribute.ts';

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
      about: 'SAE whose features may go; several times for several (default: all up to the classifier)',
    },
    train: {
      type: 'string',
      placeholder: 'N',
      about: `biographies to train on (default ${shiftDefaults.trainCount})`,
    },
    test: {
      type: 'string',
      placeholder: 'N',
      about: `biographies to test on (default ${shiftDefaults.testCount})`,
    },
    features: {
      type: 'string',
      placeholder: 'N',
      about: `features to look at, strongest first (default ${shiftDefaults.maxFeatures})`,
    },
    ablate: {
      type: 'string',
      placeholder: 'benchmark|HOOK:INDEX,…',
      about: 'ablate those that the generator knows to be gender, or those named',
    },
    'ablate-to': {
      type: 'string',
      placeholder: 'mean|zero',
      about: 'what ablated features are set to: their mean (default), or zero as in the paper',
    },
    estimate: { type: 'boolean', about: 'only tell what it would take' },
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
    if (context.line.options.estimate) {
      const estimate = await context.engine.estimateShift(request, context.call);
      return context.print(estimate, () => describeEstimate(estimate));
    }
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
  return {
    model: model.id,
    saes: saes.map(({ id }) => id),
    hook: textOption(line, 'hook'),
    ...(first !== undefined && second !== undefined && { professions: [first, second] }),
    trainCount: countOption(line, 'train', shiftDefaults.trainCount),
    testCount: countOption(line, 'test', shiftDefaults.testCount),
    maxFeatures: countOption(line, 'features', shiftDefaults.maxFeatures),
    ablateTo: readAblateTo(line),
    seed: countOption(line, 'seed', methodDefaults.seed, 0),
  };
}

function readAblateTo(line: Context['line']): 'mean' | 'zero' {
  const text = textOption(line, 'ablate-to') ?? 'mean';
  if (text === 'mean' || text === 'zero') return text;
  throw new CommandLineError(`--ablate-to is mean or zero, not "${text}".`);
}

/** The SAEs that the line names, or all up to the classifier. */
async function chooseSaes(context: Context, model: ModelInfo): Promise<readonly SaeInfo[]> {
  const { engine, line, call } = context;
  const named = listOption(line, 'sae');
  const folders = named.flatMap((name) => realFolder(name));
  const all = (await engine.listSaes({ model: model.id, folders }, call)).filter((sae) => !sae.problem);
  if (named.length > 0) return named.map((name) => namedSae(all, name));
  const usable = saesBelow(model, all, textOption(line, 'hook'));
  if (usable.length > 0) return usable;
  throw new CommandLineError('This model has no SAEs up to what the classifier reads. Name some with --sae.');
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

function describeEstimate({ find, ablate }: ShiftEstimate): string {
  return `Finding features: ${estimateText(find)}\nAblating and training again: ${estimateText(ablate)}`;
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
    accuracyTable(shiftRows(before)[0]!.rows),
    renderTable(columns, rows),
  ].join('\n\n');
}

function describeOutcome(outcome: ShiftOutcome): string {
  const rows = shiftRows(outcome.before, outcome).flatMap((group) => group.rows);
  const { ablated, baselines } = outcome;
  const count = ablated.length;
  return [
    `${count} features ablated; skylines and random draws ablate as many.`,
    accuracyTable(rows),
    `Random features: mean of ${baselines.random.draws.length} draws, in brackets the least and the largest.`,
    'Skylines and oracle know balanced labels.',
  ].join('\n\n');
}

function accuracyTable(rows: readonly ShiftRow[]): string {
  const percent = (share: number): string => (100 * share).toFixed(1);
  const groups = rows[0]?.accuracy.groups ?? [];
  const columns = [
    { title: 'in percent' },
    ...['worst group', 'profession', 'gender'].map((title) => ({ title, align: 'right' as const })),
    ...groups.map(({ profession, gender }) => ({
      title: `${gender} ${profession}`,
      align: 'right' as const,
    })),
  ];
  const cells = rows.map(({ kind, accuracy, draws }) => {
    const cell = (of: (accuracy: ShiftAccuracy) => number): string => {
      if (!draws) return percent(of(accuracy));
      const [least, largest] = rangeOf(draws, of);
      return `${percent(of(accuracy))} (${percent(least)}–${percent(largest)})`;
    };
    return [
      shiftStrings[`shiftName_${kind}`],
      cell(({ worstGroup }) => worstGroup),
      cell(({ profession }) => profession),
      cell(({ gender }) => gender),
      ...accuracy.groups.map((group) => percent(group.accuracy)),
    ];
  });
  return renderTable(columns, cells);
}
