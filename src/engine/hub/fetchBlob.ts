/** Fetches one file of the hub into the cache's blobs: goes on where an earlier try ended, and checks what arrived. */
import { createHash, type Hash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, lstat, open, rename, rm, stat } from 'node:fs/promises';
import { EngineError, throwIfCancelled } from '../../shared/errors.ts';
import { fileError } from '../files/fileErrors.ts';
import { type HubContext, send, strange, unreachable } from './hubRequests.ts';

/** One file to fetch. */
export interface BlobJob {
  readonly context: HubContext;
  /** Path in the repository, for messages. */
  readonly path: string;
  readonly address: string;
  readonly size: number;
  /** SHA-256 (64 digits), or git's SHA-1 of the content (40 digits). */
  readonly hash: string;
  /** File for what has arrived so far; it stays when the download ends early. */
  readonly partial: string;
  /** File it becomes when it is whole. */
  readonly target: string;
  /** Told how many bytes of the file are there. */
  readonly report: (bytes: number) => void;
  /** False when another process took over; then nothing is put in place. */
  readonly isHeld: () => Promise<boolean>;
  /** Waits between two tries. */
  readonly wait: (milliseconds: number) => Promise<void>;
}

/** Tries in a row that bring no byte before the hub counts as unreachable. */
const fruitlessTries = 4;

const pieceBytes = 2 ** 20;

/**
 * Fetches what is missing of the file.
 * @throws hub.corrupt when the checksum differs (the partial file is removed), hub.unreachable, hub.refused, hub.notFound,
 * hub.malformed, cancelled (the partial file stays), file.unreadable when the disk does not take it.
 */
export async function fetchBlob(job: BlobJob): Promise<void> {
  const file = await openPartial(job.partial).catch((error) => {
    throw fileError(job.partial, error);
  });
  const arriving = new Arriving(job, file);
  try {
    await arriving.readKept();
    await receiveAll(job, arriving);
    await arriving.check();
    await file.sync();
  } catch (error) {
    await file.close();
    if (error instanceof EngineError && error.code === 'hub.corrupt') await rm(job.partial, { force: true });
    throw error instanceof EngineError ? error : fileError(job.partial, error);
  }
  const { ino } = await file.stat();
  await file.close();
  await putInPlace(job, ino);
}

/** How much of a partial file is kept, in bytes; 0 when there is none. */
export async function keptBytes(partial: string): Promise<number> {
  const info = await lstat(partial).catch(() => undefined);
  return info?.isFile() ? info.size : 0;
}

/** The bytes that are there, their running checksum, and the file they are written to. */
class Arriving {
  bytes = 0;
  private hash: Hash;

  constructor(
    private readonly job: BlobJob,
    private readonly file: FileHandle,
  ) {
    this.hash = newHash(job);
  }

  /** Takes up what an earlier try left. */
  async readKept(): Promise<void> {
    const { size } = await this.file.stat();
    if (size > this.job.size) return this.restart();
    const piece = new Uint8Array(pieceBytes);
    while (this.bytes < size) {
      throwIfCancelled(this.job.context.signal);
      const { bytesRead } = await this.file.read(piece, 0, piece.length, this.bytes);
      if (bytesRead === 0) return this.restart();
      this.hash.update(piece.subarray(0, bytesRead));
      this.bytes += bytesRead;
    }
    this.job.report(this.bytes);
  }

  async restart(): Promise<void> {
    await this.file.truncate(0);
    this.hash = newHash(this.job);
    this.bytes = 0;
    this.job.report(0);
  }

  async append(chunk: Uint8Array): Promise<void> {
    if (this.bytes + chunk.length > this.job.size) throw corrupt(this.job);
    let written = 0;
    while (written < chunk.length) {
      const rest = chunk.subarray(written);
      written += (await this.file.write(rest, 0, rest.length, this.bytes + written)).bytesWritten;
    }
    this.hash.update(chunk);
    this.bytes += chunk.length;
    this.job.report(this.bytes);
  }

  async check(): Promise<void> {
    if (this.hash.digest('hex') !== this.job.hash) throw corrupt(this.job);
  }
}

/** Asks again and again until all bytes are there; every try that brings some resets the patience. */
async function receiveAll(job: BlobJob, arriving: Arriving): Promise<void> {
  let fruitless = 0;
  while (arriving.bytes < job.size) {
    const before = arriving.bytes;
    try {
      await receive(job, arriving);
      if (arriving.bytes < job.size) throw unreachable(job.context, new Error('the connection was cut'));
    } catch (error) {
      throwIfCancelled(job.context.signal);
      const mayRecover = error instanceof EngineError && error.code === 'hub.unreachable';
      fruitless = arriving.bytes > before ? 1 : fruitless + 1;
      if (!mayRecover || fruitless >= fruitlessTries) throw error;
      await job.wait(1000 * fruitless);
    }
  }
}

/** One request for what is missing. */
async function receive(job: BlobJob, arriving: Arriving): Promise<void> {
  const { context } = job;
  const stalled = new AbortController();
  const patience = setTimeout(() => stalled.abort(timeout()), context.patience);
  try {
    const answer = await ask(job, arriving, stalled.signal);
    if (!answer.body) return;
    for await (const chunk of answer.body) {
      patience.refresh();
      await arriving.append(chunk as Uint8Array);
    }
  } catch (error) {
    throwIfCancelled(context.signal);
    const isDisk = (error as NodeJS.ErrnoException).syscall === 'write';
    throw error instanceof EngineError || isDisk
      ? error
      : unreachable(context, stalled.signal.reason ?? error);
  } finally {
    clearTimeout(patience);
  }
}

/** The answer whose body is to be appended. */
async function ask(job: BlobJob, arriving: Arriving, signal: AbortSignal): Promise<Response> {
  const { context, address, path, size } = job;
  const from = arriving.bytes;
  // Compressed content would be neither of the expected size nor possible to resume.
  const headers = { 'accept-encoding': 'identity', ...(from > 0 && { range: `bytes=${from}-` }) };
  const answer = await send(context, address, `file ${path}`, { headers, signal });
  if (answer.status === 206) {
    const range = answer.headers.get('content-range');
    if (range === `bytes ${from}-${size - 1}/${size}`) return answer;
    await answer.body?.cancel();
    throw strange(context, `it sends another part of ${path} than was asked for`);
  }
  // The whole file, although only its end was asked for.
  if (from > 0) await arriving.restart();
  return answer;
}

/** Opens the partial file, never through a link: a link there is none of ours. */
async function openPartial(path: string): Promise<FileHandle> {
  const info = await lstat(path).catch(() => undefined);
  if (info && (!info.isFile() || info.nlink > 1)) await rm(path, { recursive: true, force: true });
  const noFollow = process.platform === 'win32' ? 0 : constants.O_NOFOLLOW;
  return open(path, constants.O_RDWR | constants.O_CREAT | noFollow, 0o644);
}

async function putInPlace({ partial, target, path, isHeld }: BlobJob, ino: number): Promise<void> {
  const info = await stat(partial).catch(() => undefined);
  if (info?.ino !== ino || !(await isHeld())) {
    const reason = 'another program downloads it at the same time';
    throw new EngineError('file.unreadable', { path, reason });
  }
  await rename(partial, target).catch((error) => {
    throw fileError(target, error);
  });
}

function newHash({ hash, size }: BlobJob): Hash {
  return hash.length === 64 ? createHash('sha256') : createHash('sha1').update(`blob ${size}\0`);
}

function corrupt({ path, context }: BlobJob): EngineError {
  return new EngineError('hub.corrupt', { path: `${path} of ${context.repo}` });
}

function timeout(): Error {
  return new DOMException('No byte arrived in time.', 'TimeoutError');
}
