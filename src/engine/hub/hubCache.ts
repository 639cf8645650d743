/**
 * Reads the cache of Python's `huggingface_hub`: `models--owner--name` with `refs/<revision>` (a commit), `blobs/<hash>`
 * and `snapshots/<commit>/<path>` (links to blobs, or the files themselves). Nothing outside the cache is taken for its content.
 */
import { lstat, open, readdir, realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { EngineError } from '../../shared/errors.ts';
import { isRepoName, isRevision } from '../../shared/hubName.ts';
import { shorten } from '../files/fileErrors.ts';

const commitPattern = /^[0-9a-f]{40}$/;

/** True for a full commit hash. */
export function isCommit(text: string): boolean {
  return commitPattern.test(text);
}

/** The place of one repository in the cache. */
export class CachedRepo {
  readonly folder: string;

  /** @throws request.invalid when `repo` is no name of a repository. */
  constructor(
    readonly cache: string,
    readonly repo: string,
  ) {
    if (!isRepoName(repo)) {
      const reason = 'a model is named owner/name, as in HuggingFaceTB/SmolLM2-135M';
      throw new EngineError('request.invalid', { what: `"${shorten(repo)}"`, reason });
    }
    this.folder = join(cache, `models--${repo.replace('/', '--')}`);
  }

  snapshot(commit: string): string {
    return join(this.folder, 'snapshots', commit);
  }

  blob(name: string): string {
    return join(this.folder, 'blobs', name);
  }

  /** File that holds the commit of a branch or tag. @throws request.invalid */
  ref(revision: string): string {
    if (isRevision(revision)) return join(this.folder, 'refs', ...revision.split('/'));
    const reason = 'a revision is a branch, a tag or a commit';
    throw new EngineError('request.invalid', { what: `"${shorten(revision)}"`, reason });
  }

  /** The commit that a revision was when it was last asked for; nothing when the cache does not know. */
  async commitOf(revision: string): Promise<string | undefined> {
    if (isCommit(revision)) return revision;
    const text = await readShort(this.ref(revision), 100);
    const commit = text?.trim();
    return commit !== undefined && isCommit(commit) ? commit : undefined;
  }

  /** Commits that have a snapshot, the one of `main` first, then the newest. */
  async commits(): Promise<readonly string[]> {
    const names = await readdir(join(this.folder, 'snapshots')).catch(() => []);
    const main = await this.commitOf('main');
    const dated = await Promise.all(
      names.filter(isCommit).map(async (commit) => {
        const info = await stat(this.snapshot(commit)).catch(() => undefined);
        return { commit, time: commit === main ? Number.POSITIVE_INFINITY : (info?.mtimeMs ?? 0) };
      }),
    );
    return dated.sort((one, other) => other.time - one.time).map(({ commit }) => commit);
  }

  /**
   * Size of a file of the snapshot; nothing when it is not there, is no regular file, or is a link that leads out of the
   * cache. `parts` are checked names.
   */
  async sizeOf(commit: string, parts: readonly string[]): Promise<number | undefined> {
    return this.sizeInside(join(this.snapshot(commit), ...parts));
  }

  /** Size of a blob that is whole. */
  async blobSize(name: string): Promise<number | undefined> {
    return this.sizeInside(this.blob(name));
  }

  /** True when `path`, which exists, lies in the cache or in this repository's folder, links resolved. */
  async holds(path: string): Promise<boolean> {
    const real = await realpath(path).catch(() => undefined);
    if (real === undefined) return false;
    const roots = await Promise.all(
      [this.cache, this.folder].map((root) => realpath(root).catch(() => undefined)),
    );
    return roots.some((root) => root !== undefined && (real === root || real.startsWith(root + sep)));
  }

  private async sizeInside(path: string): Promise<number | undefined> {
    if (!(await this.holds(path))) return undefined;
    const info = await stat(path).catch(() => undefined);
    return info?.isFile() ? info.size : undefined;
  }
}

/** The names of the files in a folder, links to files among them; none when it cannot be read. */
export async function fileNames(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isFile() || entry.isSymbolicLink()).map(({ name }) => name);
}

/** A short text file; nothing when it is missing, longer than `most` bytes, or no regular file. */
async function readShort(path: string, most: number): Promise<string | undefined> {
  const info = await lstat(path).catch(() => undefined);
  if (!info?.isFile() || info.size > most) return undefined;
  const file = await open(path).catch(() => undefined);
  try {
    return await file?.readFile('utf8');
  } finally {
    await file?.close();
  }
}
