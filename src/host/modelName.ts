/** What a model is called before it is loaded. */

import { basename } from 'node:path';

/** A name from a path: `owner/name` in the Hugging Face cache, else the folder's or file's own name. */
export function modelNameOf(path: string): string {
  const cached = /(?:^|[\\/])models--([^\\/]+)[\\/]snapshots[\\/]/.exec(path)?.[1];
  // The cache writes the slash of a repository's name as two dashes.
  return cached?.replace('--', '/') ?? basename(path);
}
