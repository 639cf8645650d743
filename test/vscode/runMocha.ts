/** Runs the tests of test/host with mocha inside the extension host, and leaves the counts in a file for the driver. */
import { writeFileSync } from 'node:fs';
import Mocha from 'mocha';

/** What one run came to; written as JSON to the file named by FOVEA_TEST_RESULTS. */
export interface HostResults {
  readonly passed: number;
  readonly failed: number;
}

// Begins every line that is meant for people; runHostTests.mjs knows it.
const lineMark = '[test] ';

/**
 * Loads each test file after mocha's globals exist and runs them all.
 * @param files name of the file and the function that loads it
 * @throws Error when a test failed or there was none
 */
export async function runMocha(files: readonly (readonly [string, () => Promise<unknown>])[]): Promise<void> {
  const mocha = new Mocha({ ui: 'bdd', timeout: 60_000, forbidOnly: true, forbidPending: true });
  for (const [name, load] of files) {
    mocha.suite.emit('pre-require', globalThis, name, mocha);
    await load();
    mocha.suite.emit('post-require', globalThis, name, mocha);
  }
  let passed = 0;
  let failed = 0;
  await new Promise<void>((done) => {
    // The base reporter says nothing; the lines are printed here.
    const runner = mocha.reporter(Mocha.reporters.Base).run(() => done());
    runner.on('suite', (suite) => suite.title !== '' && print(`${indent(suite)}${suite.title}`));
    runner.on('pass', (test) => {
      passed++;
      print(`${indent(test)}✓ ${test.title} (${test.duration ?? 0} ms)`);
    });
    runner.on('fail', (test, error: Error) => {
      failed++;
      print(`${indent(test)}✗ ${test.title}\n${error.stack ?? error.message}`);
    });
  });
  report({ passed, failed });
}

/** VS Code's own messages take the same way; the mark tells these from them. */
function print(text: string): void {
  console.log(text.replaceAll(/^/gm, lineMark));
}

function indent(of: { readonly parent?: unknown }): string {
  let depth = -1;
  for (let it: unknown = of.parent; it !== undefined; it = (it as { parent?: unknown }).parent) {
    depth++;
  }
  return '  '.repeat(Math.max(depth, 0));
}

function report(results: HostResults): void {
  if (process.env.FOVEA_TEST_RESULTS !== undefined) {
    writeFileSync(process.env.FOVEA_TEST_RESULTS, JSON.stringify(results));
  }
  if (results.passed + results.failed === 0) {
    throw new Error('There was no test to run.');
  }
  if (results.failed > 0) {
    throw new Error(`${results.failed} tests failed in the extension host.`);
  }
}
