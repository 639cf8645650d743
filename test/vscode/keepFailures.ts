/** Pictures of tests that failed: what the screen showed at that moment. */
import { onTestFailed } from 'vitest';
import type { Workbench } from './workbench.ts';

/**
 * Keeps a picture of the window as test-results/screenshots/failed-<file>-<test>.png when the running test fails.
 * Call it in `beforeEach`.
 * @param file the test file's name
 */
export function keepFailures(file: string, workbench: () => Workbench | undefined): void {
  onTestFailed(async ({ task }) => {
    const name = task.name.replace(/[^a-z0-9]+/gi, '-').slice(0, 60);
    await workbench()?.screenshot(`failed-${file}-${name}`);
  });
}
