/** `fovea run`: an experiment's file, with the same numbers as in the editor. */

import { mkdir, realpath } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { writeAtomically } from '../../engine/files/writeAtomically.ts';
import { untranscodedNote } from '../../shared/attributionGraphApi.ts';
import { checkExperiment } from '../../shared/experiment/checkExperiment.ts';
import { estimateExperiment, type MethodEstimate } from '../../shared/experiment/estimateExperiment.ts';
import { describePath, readExperimentParts } from '../../shared/experiment/readExperiment.ts';
import { resultFiles } from '../../shared/experiment/resultFiles.ts';
import { type ExperimentOutcome, resultsJson, runExperiment } from '../../shared/experiment/runExperiment.ts';
import { formatNumber, formatText } from '../../shared/format.ts';
import { describeLeftOut } from '../../shared/leftOutPairs.ts';
import type { StudyDoubt } from '../../shared/study.ts';
import { studyStrings } from '../../shared/studyStrings.ts';
import { textOption } from '../arguments.ts';
import type { Command, Context } from '../context.ts';
import {
  type ExperimentFile,
  type ExperimentText,
  openExperiment,
  openExperimentText,
  saidByExperiment,
} from '../experimentFile.ts';
import { openKeptFile } from '../keptFile.ts';
import { renderTable } from '../table.ts';

export const run: Command = {
  summary: 'run an experiment and write its results beside it',
  usage: 'NAME.fovea.json [options]',
  refuses: saidByExperiment,
  options: {
    out: {
      type: 'string',
      placeholder: 'FOLDER',
      about: 'write the results there instead of beside the file',
    },
    keep: {
      type: 'string',
      placeholder: 'FILE',
      about: 'keep here what is found until the run ends, and go on from what is there',
    },
    estimate: { type: 'boolean', about: 'only tell what each method would take' },
    check: { type: 'boolean', about: 'only tell what keeps it from being run' },
  },
  async run(context) {
    if (context.line.options.check) return check(context, await openExperimentText(context));
    const opened = await openExperiment(context);
    if (context.line.options.estimate) return estimate(context, opened);
    const { experiment, places, file } = opened;
    const keep = textOption(context.line, 'keep');
    const kept = keep === undefined ? undefined : openKeptFile(resolve(keep));
    if (kept?.hasForgotten) {
      context.warn(
        `${keep} was kept by another build of Fovea, which may find other numbers: all is run anew.`,
      );
    }
    const outcome = await runExperiment(experiment, { ...places, kept }, context.call);
    const folder = resolve(textOption(context.line, 'out') ?? dirname(file));
    const earlier = (name: string) => places.readText(join(folder, name)).catch(() => undefined);
    const files = await resultFiles(outcome, file, earlier, await realFolder(folder));
    for (const { name, text } of files) await writeAtomically(join(folder, name), [text]);
    kept?.clear();
    for (const warning of warningsOf(outcome)) context.warn(`Warning: ${warning}`);
    const names = files.map(({ name }) => join(folder, name));
    context.print({ files: names, ...(resultsJson(outcome, new Map()) as object) }, () =>
      [...names]
        .reverse()
        .map((name) => `wrote ${formatText(name)}`)
        .join('\n'),
    );
  },
};

/** What the numbers of a run rest on, where that is little. Methods count from 1. */
function warningsOf({ leftOut, methods }: ExperimentOutcome): string[] {
  const ofMethods = methods.flatMap(({ numbers, method }, i) => {
    const { warning, doubts = [], untranscoded } = numbers;
    const said = [
      ...(typeof warning === 'string' ? [warning] : []),
      ...(doubts as readonly StudyDoubt[]).map((doubt) => studyStrings[`studyDoubt_${doubt}`]),
      untranscodedNote((untranscoded ?? []) as readonly number[]) ?? [],
    ].flat();
    return said.map((text) => `method ${i + 1}, ${method.kind}: ${text}`);
  });
  return [...(leftOut ? [describeLeftOut(leftOut)] : []), ...ofMethods];
}

/** Where a folder really is, since tasks are named from there; one that is not there yet is made. */
async function realFolder(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  return realpath(folder);
}

async function check({ call, print }: Context, { name, text, places, file }: ExperimentText): Promise<void> {
  const problems = await checkExperiment(readExperimentParts(name, text), places, call);
  print({ problems }, () =>
    problems.length === 0
      ? `${formatText(file)} can be run.`
      : problems
          .map(
            ({ path, severity, message }) =>
              `${severity}: ${formatText(describePath({ path }))}: ${formatText(message)}`,
          )
          .join('\n'),
  );
  if (problems.some(({ severity }) => severity === 'error')) process.exitCode = 1;
}

async function estimate({ call, print }: Context, { experiment, places }: ExperimentFile): Promise<void> {
  const estimates = await estimateExperiment(experiment, places, call);
  const right = 'right' as const;
  const columns = [
    { title: 'method' },
    { title: 'runs', align: right },
    { title: 'MB', align: right },
    { title: 'seconds', align: right },
  ];
  print({ methods: estimates }, () => renderTable(columns, estimates.map(rowOf)));
}

function rowOf({ kind, runs, memory, seconds, bound }: MethodEstimate): string[] {
  return [
    kind,
    runs === undefined ? '' : `${runs}`,
    memory === undefined ? '' : (memory / 1e6).toFixed(0),
    seconds === undefined
      ? 'not known before'
      : `${bound === 'atMost' ? 'at most' : 'about'} ${formatNumber(seconds)}`,
  ];
}
