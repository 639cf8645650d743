// Runs dist/test/host inside a real VS Code's extension host and exits with its code. By default VS Code is the server
// from the cache, opened in Chromium; with FOVEA_VSCODE=desktop it is the desktop VS Code that @vscode/test-electron fetches.
//   node test/vscode/runHostTests.mjs [--extension <folder>]
import { appendFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { projectRoot, startServer } from '../../scripts/vscodeServer.mjs';
import { launchBrowser, viewport } from './browser.mjs';

const limit = 10 * 60_000;
// test/vscode/runMocha.ts begins its lines with it.
const lineMark = '[test] ';
const log = join(projectRoot, 'test-results/logs/host.log');
const { values } = parseArgs({ options: { extension: { type: 'string', default: projectRoot } } });
const extension = values.extension;
const tests = join(projectRoot, 'dist/test/host/index.cjs');
if (!existsSync(tests)) {
  throw new Error(`There is no ${tests}. Run node scripts/build.mjs --tests first.`);
}
const scratch = mkdtempSync(join(tmpdir(), 'fovea-host-'));
const folder = join(scratch, 'workspace');
cpSync(join(projectRoot, 'examples'), folder, { recursive: true });
mkdirSync(dirname(log), { recursive: true });
writeFileSync(log, '');
try {
  process.exitCode = process.env.FOVEA_VSCODE === 'desktop' ? await runOnDesktop() : await runInBrowser();
  if (process.exitCode !== 0) {
    console.error(`VS Code's own messages are in ${log}`);
  }
} finally {
  rmSync(scratch, { recursive: true, force: true, maxRetries: 5 });
}

/** @returns {Promise<number>} */
async function runInBrowser() {
  const server = await startServer({ dataFolder: join(scratch, 'server'), automated: true });
  const browser = await launchBrowser();
  try {
    const page = await browser.newPage({ viewport });
    /** @type {(code: number) => void} */
    let finish = () => {};
    const finished = new Promise((done) => {
      finish = done;
    });
    // VS Code's own names: what the window and the extension host print, and the end of the tests.
    await page.exposeFunction('codeAutomationLog', show);
    await page.exposeFunction('codeAutomationExit', finish);
    await page.goto(server.address({ folder, extension, tests }), { timeout: 120_000 });
    return await withLimit(finished, async () => {
      const picture = join(projectRoot, 'test-results/screenshots/hostTestsStuck.png');
      mkdirSync(join(projectRoot, 'test-results/screenshots'), { recursive: true });
      await page.screenshot({ path: picture });
      console.error(
        `The tests did not end; the window looked like ${picture}. The server wrote:\n${server.log()}`,
      );
    });
  } finally {
    await browser.close();
    await server.stop();
  }
}

/**
 * Prints the lines of the tests, and keeps everything else that VS Code says in a file.
 * @param {string} type
 * @param {readonly unknown[]} parts
 */
function show(type, parts) {
  const text = parts.map(String).join(' ');
  appendFileSync(log, `${type}: ${text}\n`);
  if (text.startsWith(lineMark)) {
    console.log(
      text
        .split('\n')
        .map((line) => line.replace(lineMark, ''))
        .join('\n'),
    );
  }
}

/** @returns {Promise<number>} */
async function runOnDesktop() {
  const { runTests } = await import('@vscode/test-electron');
  return runTests({
    extensionDevelopmentPath: extension,
    extensionTestsPath: tests,
    launchArgs: [
      folder,
      '--disable-extensions',
      '--disable-workspace-trust',
      '--skip-welcome',
      '--skip-release-notes',
      ...['--user-data-dir', join(scratch, 'user')],
    ],
    extensionTestsEnv: { FOVEA_TEST_RESULTS: process.env.FOVEA_TEST_RESULTS },
  });
}

/**
 * @param {Promise<number>} work
 * @param {() => Promise<void>} onLate
 * @returns {Promise<number>}
 */
async function withLimit(work, onLate) {
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  const late = new Promise((done) => {
    timer = setTimeout(done, limit, undefined);
  });
  const code = await Promise.race([work, late]);
  clearTimeout(timer);
  if (code === undefined) {
    await onLate();
    return 124;
  }
  return code;
}
