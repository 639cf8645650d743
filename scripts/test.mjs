// Runs everything that says whether Fovea works, one runner after the other, and ends with "N passed, N failed".
//   npm test                                    all
//   npm test -- --only unit,host                some of: unit (with tidy and parity), host, e2e (with the package)
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { projectRoot } from './vscodeServer.mjs';

/**
 * @typedef {object} Runner
 * @property {string} name
 * @property {readonly (readonly string[])[]} prepare scripts to run first, with their arguments
 * @property {readonly string[]} run the script, with its arguments
 * @property {(results: any) => Counts} count reads the runner's results file
 * @property {Readonly<Record<string, string>>} [env]
 * @property {boolean} [again] files that failed run once more, alone
 */
/** @typedef {{ readonly passed: number, readonly failed: number }} Counts */
/**
 * @typedef {object} VitestReport
 * @property {number} numPassedTests
 * @property {number} numFailedTests
 * @property {{ name: string, status: string, assertionResults: { status: string }[] }[]} testResults
 */

const { values } = parseArgs({ options: { only: { type: 'string' } } });
const results = join(projectRoot, 'test-results');
const vsix = join(results, 'fovea.vsix');

/** @type {readonly Runner[]} */
const runners = [
  {
    name: 'unit',
    prepare: [['scripts/build.mjs']],
    run: vitest('vitest.config.ts', 'unit'),
    count: countVitest,
  },
  {
    name: 'host',
    prepare: [['scripts/build.mjs', '--tests']],
    run: ['test/vscode/runHostTests.mjs'],
    count: ({ passed, failed }) => ({ passed, failed }),
    env: { FOVEA_TEST_RESULTS: resultsOf('host') },
  },
  {
    name: 'e2e',
    // The package is built first: its minified bundles give way to those that the other tests look at.
    prepare: [['scripts/package.mjs', '--out', vsix], ['scripts/build.mjs']],
    run: vitest('vitest.e2e.config.ts', 'e2e'),
    count: countVitest,
    env: { FOVEA_VSIX: vsix },
    // A browser is driven from outside, so a busy machine can answer too late. A second failure counts; a test that
    // passes only then is named in the summary.
    again: true,
  },
];

const wanted = values.only?.split(',') ?? runners.map(({ name }) => name);
const unknown = wanted.filter((name) => !runners.some((runner) => runner.name === name));
if (unknown.length > 0) {
  console.error(
    `There is no runner ${unknown.join(', ')}. There are: ${runners.map(({ name }) => name).join(', ')}.`,
  );
  process.exit(2);
}
for (const name of values.only === undefined ? ['.'] : wanted.map((it) => `${it}.json`)) {
  rmSync(join(results, name), { recursive: true, force: true });
}
mkdirSync(results, { recursive: true });

/** @type {string[]} */
const summary = [];
let passed = 0;
let failed = 0;
for (const runner of runners.filter(({ name }) => wanted.includes(name))) {
  const start = Date.now();
  const outcome = await runRunner(runner);
  const seconds = Math.round((Date.now() - start) / 1000);
  summary.push(`${runner.name}: ${outcome.words}, ${seconds} s`);
  passed += outcome.passed;
  failed += outcome.failed;
}
console.log(`\n${summary.join('\n')}\n`);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;

/**
 * Runs one runner. One that could not start, crashed, or ended badly with no failed test counts as one failure.
 * @param {Runner} runner
 * @returns {Promise<Counts & { readonly words: string }>}
 */
async function runRunner({ name, prepare, run, count, env, again }) {
  console.log(`\n=== ${name} ===`);
  for (const script of prepare) {
    if ((await runScript(script)) !== 0) {
      return { passed: 0, failed: 1, words: `could not be prepared (${script.join(' ')})` };
    }
  }
  const code = await runScript(run, env);
  if (!existsSync(resultsOf(name))) {
    return { passed: 0, failed: 1, words: `could not run (exit code ${code})` };
  }
  const report = JSON.parse(readFileSync(resultsOf(name), 'utf8'));
  const counts = count(report);
  const words = `${counts.passed} of ${counts.passed + counts.failed} passed`;
  if (again && counts.failed > 0) return runFailedAgain({ name, run, count, env }, report);
  if (code !== 0 && counts.failed === 0) {
    return {
      passed: counts.passed,
      failed: 1,
      words: `${words}, but the runner ended with exit code ${code}`,
    };
  }
  return { ...counts, words };
}

/**
 * Runs the files again in which something failed, and counts what they say then in place of what they said before.
 * @param {Pick<Runner, 'name' | 'run' | 'count' | 'env'>} runner
 * @param {VitestReport} report of the first run
 * @returns {Promise<Counts & { readonly words: string }>}
 */
async function runFailedAgain({ name, run, count, env }, report) {
  const failed = report.testResults.filter((file) => file.status === 'failed');
  const names = failed.map((file) => relative(projectRoot, file.name));
  console.log(`\n=== ${name}: once more, ${names.join(', ')} ===`);
  const first = count(report);
  const before = count(reportOf(failed));
  const second = resultsOf(`${name}.again`);
  rmSync(second, { force: true });
  const script = run.map((part) => part.replace(resultsOf(name), second));
  await runScript([...script, ...names], env);
  const after = existsSync(second) ? count(JSON.parse(readFileSync(second, 'utf8'))) : before;
  const passed = first.passed - before.passed + after.passed;
  const words = `${passed} of ${passed + after.failed} passed (ran twice, having failed at first: ${names.join(', ')})`;
  return { passed, failed: after.failed, words };
}

/**
 * A report about some of the files only.
 * @param {VitestReport['testResults']} testResults
 * @returns {VitestReport}
 */
function reportOf(testResults) {
  const statuses = testResults.flatMap((file) => file.assertionResults.map(({ status }) => status));
  const number = (/** @type {string} */ wanted) => statuses.filter((status) => status === wanted).length;
  return { numPassedTests: number('passed'), numFailedTests: number('failed'), testResults };
}

/**
 * @param {readonly string[]} script relative to the project, and its arguments
 * @param {Readonly<Record<string, string>>} [env]
 * @returns {Promise<number>}
 */
function runScript([script, ...args], env) {
  const child = spawn(process.execPath, [join(projectRoot, /** @type {string} */ (script)), ...args], {
    cwd: projectRoot,
    stdio: 'inherit',
    env: { ...process.env, ...env },
  });
  return new Promise((done) => {
    child.once('error', () => done(1));
    child.once('exit', (code) => done(code ?? 1));
  });
}

/** @param {string} name */
function resultsOf(name) {
  return join(results, `${name}.json`);
}

/**
 * @param {string} config
 * @param {string} name
 */
function vitest(config, name) {
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${resultsOf(name)}`];
  return ['node_modules/vitest/vitest.mjs', 'run', '--config', config, ...reporters];
}

/**
 * A test file that could not be loaded has no tests that failed; it counts as one.
 * @param {VitestReport} report
 * @returns {Counts}
 */
function countVitest({ numPassedTests, numFailedTests, testResults }) {
  const broken = testResults.filter(
    ({ status, assertionResults }) =>
      status === 'failed' && !assertionResults.some((it) => it.status === 'failed'),
  );
  return { passed: numPassedTests, failed: numFailedTests + broken.length };
}
