/** Turns what the file system and hostile files throw at the readers into coded errors that name file, field and finding. */
import { EngineError } from '../../shared/errors.ts';

const missing = new Set(['ENOENT', 'ENOTDIR']);

const reasons: Readonly<Record<string, string>> = {
  EACCES: 'permission was denied',
  EPERM: 'permission was denied',
  EISDIR: 'it is a folder, not a file',
  EMFILE: 'too many files are open',
  ENFILE: 'too many files are open',
  ELOOP: 'its symbolic links go in a circle',
  ENAMETOOLONG: 'the path is too long',
  ENOSPC: 'the disk is full',
  EROFS: 'the disk is read-only',
  EIO: 'the disk reported a fault',
  ERR_INVALID_ARG_VALUE: 'the path is not a valid file name',
};

/** `file.missing` or `file.unreadable` for an error of `node:fs`; an `EngineError` passes through unchanged. */
export function fileError(path: string, error: unknown): EngineError {
  if (error instanceof EngineError) return error;
  const code = (error as NodeJS.ErrnoException | undefined)?.code ?? '';
  if (missing.has(code)) return new EngineError('file.missing', { path });
  const reason = reasons[code] ?? (error instanceof Error ? error.message : String(error));
  return new EngineError('file.unreadable', { path, reason });
}

/** `file.malformed` for `field` of the file at `path`; `found` is shown shortened, so a hostile file cannot flood a message. */
export function malformed(
  path: string,
  field: string,
  expected: string,
  found: unknown,
): EngineError<'file.malformed'> {
  return new EngineError('file.malformed', {
    path,
    field: shorten(field),
    expected,
    found: describeFound(found),
  });
}

/** A value of a file as an error message shows it: JSON-like, at most about 80 characters, control characters escaped. */
export function describeFound(value: unknown): string {
  if (value === undefined) return 'missing';
  if (typeof value === 'string') return shorten(JSON.stringify(value));
  if (value === null || typeof value !== 'object') return String(value);
  return Array.isArray(value) ? shorten(`[${describeItems(value)}]`) : 'an object';
}

/** Lists inside a list are only mentioned: a hostile file can nest them deeper than any stack. */
function describeItems(items: readonly unknown[]): string {
  const shown = items.slice(0, 20).map((item) => (Array.isArray(item) ? 'a list' : describeFound(item)));
  return `${shown.join(', ')}${items.length > 20 ? ', …' : ''}`;
}

/** `text` cut to about 80 characters, with control characters made visible as spaces. */
export function shorten(text: string, limit = 80): string {
  const plain = text.replace(/[\p{Cc}\u2028\u2029]/gu, ' ');
  return plain.length <= limit ? plain : `${plain.slice(0, limit - 1).replace(/[\ud800-\udbff]$/, '')}…`;
}
