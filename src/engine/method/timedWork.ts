/** What a piece of work takes by itself and for each unit in it, from a small and a large sample that are run and timed. */

/** A sample: how much work it is, and how to do it. */
export interface TimedSample {
  readonly units: number;
  run(): Promise<unknown>;
}

/** Milliseconds. A small model spends most of its time on calls, a large one on what is in them. */
export interface WorkTime {
  readonly perCall: number;
  readonly perUnit: number;
}

/** Runs each sample twice, once to compile what it needs and once for the clock, and fits a line through both. */
export async function timeWork(few: TimedSample, many: TimedSample): Promise<WorkTime> {
  const large = await timeOf(many);
  if (many.units <= few.units) return { perCall: 0, perUnit: large / Math.max(1, many.units) };
  const small = Math.min(large, await timeOf(few));
  const perUnit = (large - small) / (many.units - few.units);
  return { perUnit, perCall: Math.max(0, small - perUnit * few.units) };
}

async function timeOf(sample: TimedSample): Promise<number> {
  await sample.run();
  const started = performance.now();
  await sample.run();
  return performance.now() - started;
}
