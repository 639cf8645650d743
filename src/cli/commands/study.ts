/** `fovea study ioi`: the study of indirect objects (Wang et al. 2022) on a model, as a report. */

import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { writeAtomically } from '../../engine/files/writeAtomically.ts';
import type { Progress } from '../../shared/domain.ts';
import { formatBytes, formatText } from '../../shared/format.ts';
import { methodDefaults } from '../../shared/methodDefaults.ts';
import type { IoiStudy, StudyParts } from '../../shared/study.ts';
import type { IndirectObjectsRequest } from '../../shared/studyApi.ts';
import { studyReport } from '../../shared/studyReport.ts';
import { studyStrings } from '../../shared/studyStrings.ts';
import { CommandLineError, countOption, textOption } from '../arguments.ts';
import { type Command, type Context, openModel } from '../context.ts';
import { tellLeftOut } from '../promptPairs.ts';
import { refuseUnused } from '../unusedOptions.ts';

export const study: Command = {
  summary: 'find, classify and test the heads that name the indirect object',
  usage: 'ioi [options]',
  options: {
    out: {
      type: 'string',
      placeholder: 'FILE',
      about: 'write the report (Markdown, or JSON when it ends in .json)',
    },
    task: {
      type: 'string',
      placeholder: 'FILE',
      about: 'a task file with roles IO, S1, S1+1, S2, END (default: generated pairs)',
    },
    pairs: {
      type: 'string',
      placeholder: 'N',
      about: 'pairs to generate; means need several for each template (default 640)',
    },
    paths: { type: 'string', placeholder: 'N', about: 'pairs for path patching (default 200)' },
    circuit: {
      type: 'string',
      placeholder: 'N',
      about: 'pairs for the circuit and its criteria, 0 for none (default 40)',
    },
    seed: {
      type: 'string',
      placeholder: 'N',
      about: `where the random numbers begin (default ${methodDefaults.seed})`,
    },
    keep: {
      type: 'string',
      placeholder: 'FILE',
      about: 'keep here what is measured, and go on from what is there (.json)',
    },
    estimate: { type: 'boolean', about: 'only say how long it would take' },
  },
  async run(context) {
    if (context.line.words.length !== 1 || context.line.words[0] !== 'ioi') {
      throw new CommandLineError('Say which study: ioi.');
    }
    const model = await openModel(context);
    const request = readRequest(context, model.id);
    if (context.line.options.estimate) return estimate(context, request);
    const leftOut = await tellLeftOut(context, model, request.task);
    const found = { ...(await runStudy(context, request)), ...leftOut };
    for (const doubt of found.doubts ?? []) context.warn(`Warning: ${studyStrings[`studyDoubt_${doubt}`]}`);
    const report = studyReport(found, model.name);
    const out = textOption(context.line, 'out');
    if (out === undefined) return context.print(found, () => report);
    const content = out.endsWith('.json') ? `${JSON.stringify(found, null, 2)}\n` : report;
    await writeAtomically(resolve(out), [content]);
    context.print(found, () => `The report is in ${formatText(out)}.`);
  },
};

/** With `--keep`, goes on from the file that an earlier run has left. */
async function runStudy({ engine, call, line }: Context, request: IndirectObjectsRequest): Promise<IoiStudy> {
  const file = textOption(line, 'keep');
  if (file === undefined) return engine.studyIndirectObjects(request, call);
  const path = resolve(file);
  const known = await readParts(path);
  let writing = Promise.resolve();
  const report = (progress: Progress): void => {
    call.report?.(progress);
    const parts = progress.study?.parts;
    if (parts) writing = writing.then(() => writeAtomically(path, [`${JSON.stringify(parts)}\n`]));
  };
  try {
    return await engine.studyIndirectObjects({ ...request, known }, { ...call, report });
  } finally {
    await writing;
  }
}

async function readParts(path: string): Promise<StudyParts | undefined> {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    const parts: unknown = JSON.parse(text);
    if (typeof (parts as { key?: unknown } | null)?.key === 'string') return parts as StudyParts;
  } catch {
    // Said below.
  }
  throw new CommandLineError(`${formatText(path)} holds no study that could go on; name another file.`);
}

function readRequest({ line }: Context, model: string): IndirectObjectsRequest {
  const file = textOption(line, 'task');
  refuseUnused(line, [[file !== undefined, ['pairs'], 'All pairs of the task file are studied']]);
  const seed = countOption(line, 'seed', methodDefaults.seed, 0);
  const circuitPairs = countOption(line, 'circuit', 40, 0);
  return {
    model,
    task:
      file === undefined
        ? {
            kind: 'generator',
            name: 'ioi',
            count: countOption(line, 'pairs', methodDefaults.studyPairs),
            seed,
          }
        : { kind: 'file', path: resolve(file) },
    seed,
    pathPairs: countOption(line, 'paths', 200),
    ...(circuitPairs === 0 ? { circuit: false } : { circuitPairs }),
  };
}

async function estimate({ engine, call, print }: Context, request: IndirectObjectsRequest): Promise<void> {
  const found = await engine.estimateIndirectObjects(request, call);
  print(
    found,
    () =>
      `About ${Math.ceil(found.seconds)} s: ${Math.round(found.tokens)} tokens through the model, ${formatBytes(found.bytes)} beside its weights.`,
  );
}
