/** What a benchmark reports, how its times are summed up, and how a script of this folder ends. */

import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg } from 'node:os';

/** One measured figure. */
export interface Figure {
  readonly what: string;
  readonly value: number;
  readonly unit: 'ms' | '×' | 'tokens/s' | 'ρ' | 'r' | 'share' | '%' | 'nodes';
  /** The most that is acceptable (the least, for a rate). Absent for figures that only explain another. */
  readonly target?: number;
  /** What else was seen: spread, parts, CPU time. */
  readonly detail: string;
}

/** Where and when figures were measured. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly node: string;
  readonly onnxruntime: string;
  /** Load average of the last minute before the first run; well below the number of cores on an idle machine. */
  readonly load: number;
}

/** Wall-clock and CPU time of repeated runs, in milliseconds. */
export interface Timing {
  readonly wall: readonly number[];
  readonly cpu: readonly number[];
}

/** Describes the machine. Package versions are read from `root`, the project's folder. */
export function describeMachine(root: string): Machine {
  const runtime = JSON.parse(readFileSync(`${root}/node_modules/onnxruntime-node/package.json`, 'utf8'));
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    node: process.version,
    onnxruntime: runtime.version,
    load: loadavg()[0] ?? Number.NaN,
  };
}

/** The value below which the fraction `part` of `values` lies, interpolated between neighbours. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (sorted.length - 1) * part;
  const low = sorted[Math.floor(at)] ?? Number.NaN;
  const high = sorted[Math.ceil(at)] ?? Number.NaN;
  return low + (high - low) * (at - Math.floor(at));
}

/** The middle value. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** CPU time that this process has used so far, all its threads together, in milliseconds. */
export function ownCpuTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Runs `work` once and tells how long it took, by the clock and by the processor. */
export async function timed(
  work: () => Promise<unknown>,
  cpuTime: () => number = ownCpuTime,
): Promise<{ wall: number; cpu: number }> {
  const [started, used] = [performance.now(), cpuTime()];
  await work();
  return { wall: performance.now() - started, cpu: cpuTime() - used };
}

/** `p95 71 ms, least 40 ms, CPU 48 ms, 60 runs`. CPU time is the mean, since some systems count it in coarse steps. */
export function spread({ wall, cpu }: Timing): string {
  const used = cpu.reduce((sum, one) => sum + one, 0) / cpu.length;
  const [late, least] = [quantile(wall, 0.95), Math.min(...wall)];
  return `p95 ${late.toFixed(0)} ms, least ${least.toFixed(0)} ms, CPU ${used.toFixed(0)} ms, ${wall.length} runs`;
}

/** Ends a script: its figures, as one line of JSON for the table that collects them. Native threads do not keep it alive. */
export function finish(figures: readonly Figure[]): void {
  process.stdout.write(`${JSON.stringify(figures)}\n`, () => process.exit(0));
}
