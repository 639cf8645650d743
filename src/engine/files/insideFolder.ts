/** Keeps what a folder's index, config or links name inside that folder. */
import { readdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, sep } from 'node:path';
import { fileError, malformed, shorten } from './fileErrors.ts';

/**
 * The real path of the file that `folder` holds under the relative `name`. Links may lead elsewhere within the folder,
 * and from a snapshot of the Hugging Face cache to the blobs beside it; anything else would let a downloaded folder
 * make Fovea read any file of the machine.
 * @throws file.missing, file.unreadable, file.malformed for a name or link that leads out of the folder.
 */
export async function fileInFolder(folder: string, name: string): Promise<string> {
  const path = join(folder, name);
  if (name === '' || isAbsolute(name) || /(^|[\\/])\.\.([\\/]|$)|^[a-z]:|\0/i.test(name)) {
    throw malformed(folder, 'the name of a file', 'one inside the folder', name);
  }
  const [root, real] = await Promise.all([resolve(folder), resolve(path)]);
  if (isInside(root, real)) return real;
  const blobs = blobsBeside(root);
  if (blobs && dirname(real) === blobs) return real;
  throw malformed(
    path,
    shorten(name),
    'a file of this folder',
    `a link that leads out of it, to ${shorten(real)}`,
  );
}

/**
 * Checks every link to a file in `folder` and in the folders right below it, as `fileInFolder` does for one name. For
 * folders whose files are opened by fixed names.
 * @throws file.unreadable, file.malformed for a link that leads out of the folder.
 */
export async function checkLinks(folder: string): Promise<void> {
  for (const name of await linksIn(folder)) {
    const isFile = (await stat(join(folder, name)).catch(() => undefined))?.isFile() ?? false;
    if (isFile) await fileInFolder(folder, name);
  }
}

/** Links in a folder, and those and all files in the folders right below it, which may be links themselves. */
async function linksIn(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error) => {
    throw fileError(folder, error);
  });
  const names = entries.filter((entry) => entry.isSymbolicLink()).map(({ name }) => name);
  for (const { name } of entries.filter((entry) => !entry.isFile())) {
    const inner = await readdir(join(folder, name)).catch(() => []);
    names.push(...inner.map((below) => join(name, below)));
  }
  return names;
}

/** The blobs of the cache entry `models--owner--name` that `folder` is, or lies in, a snapshot of. */
function blobsBeside(folder: string): string | undefined {
  for (let at = folder; dirname(at) !== at; at = dirname(at)) {
    const repository = dirname(dirname(at));
    const isSnapshot = basename(dirname(at)) === 'snapshots';
    if (isSnapshot && /^(models|datasets|spaces)--/.test(basename(repository)))
      return join(repository, 'blobs');
  }
  return undefined;
}

function isInside(root: string, path: string): boolean {
  const way = relative(root, path);
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

async function resolve(path: string): Promise<string> {
  return realpath(path).catch((error) => {
    throw fileError(path, error);
  });
}
