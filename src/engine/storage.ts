/** Where the engine keeps what outlives it: converted weights, the index of labels. Everything there can be made anew. */

import { homedir } from 'node:os';
import { join } from 'node:path';

/** The user's cache folder for Fovea, when nobody names another one. */
export function defaultStorage(env: NodeJS.ProcessEnv = process.env): string {
  return join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'fovea');
}
