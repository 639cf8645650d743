/** Scratch folders and caught errors for tests of files. */
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { EngineError } from '../../src/shared/errors.ts';

/** A new folder that is removed when the running test ends. */
export async function temporaryFolder(): Promise<string> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'fovea-')));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** The coded error that `work` fails with; any other outcome fails the test. */
export async function failure(work: Promise<unknown>): Promise<EngineError> {
  const outcome = await work.then(
    () => 'nothing was thrown',
    (error: unknown) => error,
  );
  if (outcome instanceof EngineError) return outcome;
  throw outcome instanceof Error ? outcome : new Error(String(outcome));
}
