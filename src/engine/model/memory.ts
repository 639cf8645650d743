/** Says beforehand whether a model would fit into memory: how much is free, and how much the model will take. */
import { readFileSync } from 'node:fs';
import { freemem, totalmem } from 'node:os';
import { join } from 'node:path';
import { EngineError } from '../../shared/errors.ts';

/** What counts for a model's memory. */
export interface ModelSize {
  readonly path: string;
  /** Bytes of all weights once they are float32. */
  readonly float32Bytes: number;
  /** As many of them as belong to weights that are used in 16 bits, as they are stored. */
  readonly widenedBytes: number;
}

/**
 * Memory that a model takes at work, as a multiple of its weights in float32: the copy that the live programs have laid
 * out for speed, and some room for the values of a run. What other programs read of the file in place can be given back.
 */
const workingShare = 1.3;

/**
 * The same for weights used in 16 bits. Widening them is folded into each program, so that edited and backward programs
 * have copies too: 3.5 times was measured after edits in every layer and a circuit. Keeping them half as wide in memory
 * was measured slower, and no smaller.
 */
const widenedShare = 3.6;

/** Variants of a stage's program that stay compiled side by side: plain, hooked, a few edited ones, backward. */
export function programsPerStage({ float32Bytes, widenedBytes }: Omit<ModelSize, 'path'>): number {
  return 2 * widenedBytes > float32Bytes ? 3 : 8;
}

/** Bytes that an open model takes at most. */
export function memoryFor({ float32Bytes, widenedBytes }: Omit<ModelSize, 'path'>): number {
  return workingShare * (float32Bytes - widenedBytes) + widenedShare * widenedBytes;
}

/** @throws model.tooLarge when `available` bytes are not enough for the model. */
export function checkMemory(size: ModelSize, available: number): void {
  const { path } = size;
  const needed = memoryFor(size);
  if (needed <= available) return;
  throw new EngineError('model.tooLarge', {
    path,
    needed: inGigabytes(needed),
    available: inGigabytes(available),
  });
}

/**
 * Bytes that can be had without pushing other programs out: free memory and what the system keeps only as a cache, and no
 * more than the limits of the control group (container) allow. `root` is where the system's files are looked for.
 */
export async function availableMemory(root = '/'): Promise<number> {
  const [system, group] = [availableOnLinux(root), leftInControlGroup(root)];
  return Math.min(system ?? availableElsewhere(), group ?? Number.POSITIVE_INFINITY);
}

/** macOS counts as free only what it has no use for at all; it gives back much more. */
function availableElsewhere(): number {
  return process.platform === 'darwin' ? Math.max(freemem(), totalmem() / 2) : freemem();
}

function availableOnLinux(root: string): number | undefined {
  const text = textOf(join(root, 'proc/meminfo'));
  const kilobytes = /^MemAvailable:\s+(\d+) kB$/m.exec(text ?? '')?.[1];
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
}

/** What the process's control group may still take. Its cache of files counts as free, since the system takes that back. */
function leftInControlGroup(root: string): number | undefined {
  const groups = textOf(join(root, 'proc/self/cgroup')) ?? '';
  const unified = /^0::(\/.*)$/m.exec(groups)?.[1] ?? '/';
  const old = /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(\/.*)$/m.exec(groups)?.[1] ?? '/';
  const places = [
    { folder: unified, limit: 'memory.max', used: 'memory.current', cache: ['inactive_file', 'active_file'] },
    { folder: '/', limit: 'memory.max', used: 'memory.current', cache: ['inactive_file', 'active_file'] },
    ...[old, '/'].map((folder) => ({
      folder: join('memory', folder),
      limit: 'memory.limit_in_bytes',
      used: 'memory.usage_in_bytes',
      cache: ['total_inactive_file', 'total_active_file'],
    })),
  ];
  const left: number[] = [];
  for (const { folder, limit, used, cache } of places) {
    const at = (name: string) => textOf(join(root, 'sys/fs/cgroup', folder, name));
    const [most, now] = [wholeNumber(at(limit)), wholeNumber(at(used))];
    if (most === undefined || now === undefined) continue;
    const statistics = at('memory.stat') ?? '';
    const cached = cache.map((name) =>
      Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(statistics)?.[1] ?? 0),
    );
    left.push(Math.max(0, most - now + cached.reduce((sum, bytes) => sum + bytes, 0)));
  }
  return left.length === 0 ? undefined : Math.min(...left);
}

/** A limit that is none reads "max", or is larger than any memory. */
function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+\s*$/.test(text) ? Number(text) : undefined;
}

/** These files are not on a disk: the system writes them while they are read. */
function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function inGigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}
