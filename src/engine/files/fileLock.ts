/**
 * Lets only one process at a time fetch a blob or convert a model. A lock is a file that is created exclusively and touched while it is
 * held; one whose process is gone, or that nobody has touched for long, is taken over.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, open, readFile, rm, stat, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { throwIfCancelled } from '../../shared/errors.ts';
import { fileError } from './fileErrors.ts';

/** Milliseconds. */
const touchEvery = 10_000;
const staleAfter = 120_000;
const lookEvery = 200;

/** Runs `work` while holding the lock at `path`; waits while another process holds it. @throws cancelled, file.unreadable */
export async function withFileLock<T>(
  path: string,
  signal: AbortSignal | undefined,
  work: (isHeld: () => Promise<boolean>) => Promise<T>,
): Promise<T> {
  const owner = JSON.stringify({ host: hostname(), pid: process.pid, id: randomUUID() });
  await acquire(path, owner, signal);
  const touching = setInterval(() => {
    const now = new Date();
    // A lock that cannot be touched is found out about before the file is put in place.
    utimes(path, now, now).catch(() => undefined);
  }, touchEvery);
  touching.unref();
  const isHeld = async (): Promise<boolean> => (await readFile(path, 'utf8').catch(() => '')) === owner;
  try {
    return await work(isHeld);
  } finally {
    clearInterval(touching);
    if (await isHeld()) await rm(path, { force: true });
  }
}

async function acquire(path: string, owner: string, signal: AbortSignal | undefined): Promise<void> {
  await mkdir(dirname(path), { recursive: true }).catch((error) => {
    throw fileError(path, error);
  });
  while (!(await create(path, owner))) {
    throwIfCancelled(signal);
    if (await isAbandoned(path)) await rm(path, { force: true });
    else await new Promise((resolve) => setTimeout(resolve, lookEvery));
  }
}

async function create(path: string, owner: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx');
    try {
      await file.writeFile(owner);
    } finally {
      await file.close();
    }
    return true;
  } catch (error) {
    // Windows answers so while a removed file is still open somewhere.
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'EEXIST' || (process.platform === 'win32' && code === 'EPERM')) return false;
    throw fileError(path, error);
  }
}

async function isAbandoned(path: string): Promise<boolean> {
  const info = await stat(path).catch(() => undefined);
  if (!info) return false;
  if (Date.now() - info.mtimeMs > staleAfter) return true;
  const text = await readFile(path, 'utf8').catch(() => '');
  try {
    const { host, pid } = JSON.parse(text) as { readonly host?: unknown; readonly pid?: unknown };
    return host === hostname() && typeof pid === 'number' && !isRunning(pid);
  } catch {
    // The owner has not written its name yet.
    return false;
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
