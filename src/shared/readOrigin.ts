/** Reads where a circuit of a file came from: the model and the SAEs that computed it, and the prompts it was found on. */

import type { Provenance } from './domain.ts';
import type { FieldReader } from './fieldReader.ts';
import type { SaeConvention, SaeVerdict } from './saeCheck.ts';
import { type GeneratedTask, type PromptPairs, type TaskSource, taskGenerators } from './task.ts';

const text = (value: FieldReader): string => value.text();
const number = (value: FieldReader): number => value.number();
const flag = (value: FieldReader): boolean => value.flag();

/** The provenance of a file. @throws file.malformed */
export function readProvenance(file: FieldReader): Provenance {
  const model = file.get('model');
  return {
    version: file.get('version').text(),
    model: { name: model.get('name').text(), hash: model.get('hash').text() },
    saes: file.get('saes').list(10_000, readSae),
    bos: file.get('bos').oneOf(['none', 'prepended']),
    precision: file.get('precision').text(),
    ...found('seed', file.maybe('seed', number)),
  };
}

function readSae(sae: FieldReader): Provenance['saes'][number] {
  return {
    hook: sae.get('hook').text(),
    hash: sae.get('hash').text(),
    ...found('prependBos', sae.maybe('prependBos', flag)),
    ...found('convention', sae.maybe('convention', readConvention)),
    ...found('release', sae.maybe('release', text)),
    ...(sae.maybe('centered', flag) && { centered: true }),
    ...found('scale', sae.maybe('scale', number)),
    ...(sae.maybe('masksFirst', flag) && { masksFirst: true }),
    ...found(
      'verdict',
      sae.maybe('verdict', (it) => it.oneOf(verdicts)),
    ),
    ...found('explainedVariance', sae.maybe('explainedVariance', number)),
  };
}

const verdicts: readonly SaeVerdict[] = ['good', 'fair', 'poor', 'other'];

function readConvention(convention: FieldReader): SaeConvention {
  const flags = [
    'applyBDecToInput',
    'transposeEncoder',
    'transposeDecoder',
    'transposeSkip',
    'centerInput',
    'inputGain',
    'prependBos',
    'maskFirst',
  ] as const;
  return {
    ...Object.fromEntries(
      flags.flatMap((key) => (convention.has(key) ? [[key, convention.get(key).flag()]] : [])),
    ),
    ...found('inputScale', convention.maybe('inputScale', number)),
    ...found('hook', convention.maybe('hook', text)),
  };
}

/** The prompts that a circuit was found on. `accepts` says which paths of task files are right. @throws file.malformed */
export function readPairs(file: FieldReader, accepts: (path: string) => boolean): PromptPairs {
  if (file.get('kind').oneOf(['pair', 'task']) === 'pair') {
    const prompt = (key: string): string => file.get(key).text(1_000_000);
    const answers = (key: string): string[] => file.get(key).list(1000, text);
    return {
      kind: 'pair',
      clean: prompt('clean'),
      corrupted: prompt('corrupted'),
      answers: answers('answers'),
      wrongAnswers: answers('wrongAnswers'),
    };
  }
  const limit = file.maybe('limit', (it) => it.count({ min: 1 }));
  return { kind: 'task', task: readTask(file.get('task'), accepts), ...found('limit', limit) };
}

function readTask(task: FieldReader, accepts: (path: string) => boolean): TaskSource {
  if (task.get('kind').oneOf(['file', 'generator']) === 'file') {
    const path = task.get('path');
    if (!accepts(path.text())) throw path.fault('a path that is relative to the circuit’s file');
    return { kind: 'file', path: path.text() };
  }
  const options = task.maybe('options', (it) => it.entries(100));
  const generated: GeneratedTask = {
    name: task.get('name').oneOf(taskGenerators),
    count: task.get('count').count({ min: 1, max: 1_000_000 }),
    seed: task.get('seed').number(),
    ...(options && { options: Object.fromEntries(options.map(([key, it]) => [key, it.text()])) }),
  };
  return { kind: 'generator', ...generated };
}

function found<K extends string, T>(key: K, value: T | undefined): { readonly [P in K]?: T } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [P in K]: T });
}
