/** The experiment that a command line names: read from its file, with the paths in it relative to that file. */

import { dirname, resolve } from 'node:path';
import { readBytes, realFile, withFile } from '../engine/files/regularFile.ts';
import { EngineError } from '../shared/errors.ts';
import type { Experiment } from '../shared/experiment/experiment.ts';
import { readExperiment } from '../shared/experiment/readExperiment.ts';
import type { ExperimentPlaces } from '../shared/experiment/runExperiment.ts';
import { CommandLineError, textOption } from './arguments.ts';
import { type Context, embeddedModel } from './context.ts';

/** An experiment, its file's real path, and where the things are that it names. */
export interface ExperimentFile {
  readonly file: string;
  readonly experiment: Experiment;
  readonly places: ExperimentPlaces;
}

/** The text of an experiment, which may be none, and its name on the command line. */
export interface ExperimentText extends Omit<ExperimentFile, 'experiment'> {
  readonly name: string;
  readonly text: string;
}

/** Options of all commands that say what an experiment says itself. */
export const saidByExperiment: readonly string[] = ['model', 'bos'];

/** Reads the experiment. @throws CommandLineError, file.missing, request.invalid */
export async function openExperiment(context: Context): Promise<ExperimentFile> {
  const { name, file, text, places } = await openExperimentText(context);
  return { file, places, experiment: readExperiment(name, text) };
}

/** The text of the experiment, as it is. @throws CommandLineError, file.missing */
export async function openExperimentText({ line, engine }: Context): Promise<ExperimentText> {
  const [named, ...rest] = line.words;
  if (named === undefined || rest.length > 0)
    throw new CommandLineError('Name one experiment: NAME.fovea.json.');
  for (const option of saidByExperiment) {
    if (textOption(line, option) === undefined) continue;
    throw new CommandLineError(`The experiment itself says "${option}"; change it there.`);
  }
  const file = await realFile(resolve(named));
  const text = await readText(file);
  const folder = dirname(file);
  const path = (relative: string): Promise<string> => realFile(resolve(folder, relative));
  return { name: named, file, text, places: { engine, embedded: embeddedModel(), path, readText } };
}

/** Bytes of a text file at most. */
const mostBytes = 2 ** 28;

async function readText(path: string): Promise<string> {
  return withFile(path, async (file, size) => {
    if (size > mostBytes)
      throw new EngineError('file.unreadable', { path, reason: 'it is larger than 256 MiB' });
    return new TextDecoder().decode(await readBytes(path, file, 0, size));
  });
}
