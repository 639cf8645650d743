/** The name of a repository of the hub as people type it, paste it or read it in a paper. */

/** A repository and, when one was named, its branch, tag or commit. */
export interface HubName {
  readonly repo: string;
  readonly revision?: string;
}

/** Where models come from when nobody names a mirror. */
export const defaultHubEndpoint = 'https://huggingface.co';

const part = /^[A-Za-z0-9]([\w.-]*[A-Za-z0-9_])?$/;

/**
 * Reads `owner/name`, `owner/name@revision`, or the address of a repository's page; nothing for anything else.
 * A name alone is allowed, as the hub's oldest models (`gpt2`) have no owner.
 */
export function readHubName(text: string): HubName | undefined {
  const page = /^https?:\/\/[^/\s]+\/([^?#]+)/i.exec(text.trim())?.[1];
  if (page !== undefined) return readPage(page);
  const [repo = '', ...rest] = text.trim().split('@');
  const revision = rest.length > 0 ? rest.join('@') : undefined;
  if (!isRepoName(repo) || (revision !== undefined && !isRevision(revision))) return undefined;
  return { repo, revision };
}

/** `name` or `owner/name`, by the hub's own rules for names; the cache's folder names rely on them. */
export function isRepoName(text: string): boolean {
  const parts = text.split('/');
  if (parts.length > 2 || text.length > 96) return false;
  return parts.every((it) => part.test(it)) && !/--|\.\.|\.git$/.test(text);
}

/** A branch, tag, commit or `refs/pr/1`. It becomes a file name in the cache, so nothing may lead out of a folder. */
export function isRevision(text: string): boolean {
  return (
    text.length <= 200 && text.split('/').every((it) => /^[\w.+-]+$/.test(it) && !/^\.|\.\.|\.$/.test(it))
  );
}

function readPage(path: string): HubName | undefined {
  const [owner = '', name, tree, ...rest] = path.replace(/\/+$/, '').split('/');
  const repo = name === undefined ? owner : `${owner}/${name}`;
  if (!isRepoName(repo)) return undefined;
  if (tree === undefined) return { repo };
  const revision = rest[0] === 'refs' ? rest.slice(0, 3).join('/') : decode(rest[0] ?? '');
  return tree === 'tree' && isRevision(revision) ? { repo, revision } : undefined;
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return '';
  }
}
