/** Where the engine keeps what outlives it: converted weights, the index of labels. Everything there can be made anew. */

import { homedir } from 'node:os';
import { join } from 'node:path';

/** The folder that FOVEA_STORAGE names, else the user's cache folder for Fovea. */
export function defaultStorage(env: NodeJS.ProcessEnv = process.env): string {
  return env.FOVEA_STORAGE || join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'fovea');
}
