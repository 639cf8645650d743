/** The file of `fovea run --keep`: what a run has found until it ends, for the next one to go on from. */

import { appendFileSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isEngineError } from '../shared/errors.ts';
import { buildIn, KeptRun, type KeptText } from '../shared/experiment/keptRun.ts';
import { formatText } from '../shared/format.ts';
import { CommandLineError } from './arguments.ts';

/** Larger files are none of ours: a run is kept in half of it. */
const largestFile = 2 ** 27;

/** Opens the file, which may not be there yet. @throws CommandLineError when it holds something else */
export function openKeptFile(path: string): KeptRun {
  const isThere = existsSync(path);
  if (isThere && !(statSync(path).isFile() && statSync(path).size <= largestFile)) throw notKept(path);
  try {
    const text: KeptText = {
      read: () => (isThere ? readFileSync(path, 'utf8') : undefined),
      write: (content) => writeFileSync(path, content),
      append: (content) => appendFileSync(path, content),
      remove: () => rmSync(path, { force: true }),
    };
    return new KeptRun(text, { build: ownBuild() });
  } catch (error) {
    throw isEngineError(error) ? notKept(path) : error;
  }
}

/** The build that this program is of. */
function ownBuild(): string {
  const built = join(dirname(fileURLToPath(import.meta.url)), 'built.json');
  return buildIn(existsSync(built) ? readFileSync(built, 'utf8') : undefined);
}

function notKept(path: string): CommandLineError {
  return new CommandLineError(`${formatText(path)} holds no run that could go on; name another file.`);
}
