/** Counts the cores that arithmetic can use: two hardware threads of one core compute no faster than one. */

import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/** Physical cores that this process may use, at least 1. */
export function physicalCores(): number {
  const logical = availableParallelism();
  const counted = process.platform === 'linux' ? linuxCores() : undefined;
  if (counted) return Math.min(counted, logical);
  // Apple's processors run one thread on each core; others usually two.
  return process.platform === 'darwin' || logical < 4 ? logical : Math.floor(logical / 2);
}

function linuxCores(): number | undefined {
  try {
    const text = readFileSync('/proc/cpuinfo', 'utf8');
    const sockets = text.match(/^physical id\s*:.*$/gm) ?? [];
    const cores = text.match(/^core id\s*:.*$/gm) ?? [];
    return new Set(cores.map((core, i) => `${sockets[i]} ${core}`)).size || undefined;
  } catch {
    return undefined;
  }
}
