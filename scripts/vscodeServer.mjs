// VS Code without a download: starts and stops the server that scripts/installTestTools.sh puts into the cache.
// Knows nothing of browsers or of tests.
import { execFileSync, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder that holds package.json. */
export const projectRoot = dirname(dirname(fileURLToPath(import.meta.url)));

/** Settings that keep VS Code quiet: no telemetry, no welcome, no offers, nothing that asks the network. */
export const quietSettings = {
  'telemetry.telemetryLevel': 'off',
  'update.mode': 'none',
  'extensions.autoUpdate': false,
  'extensions.autoCheckUpdates': false,
  'extensions.ignoreRecommendations': true,
  'workbench.enableExperiments': false,
  'workbench.settings.enableNaturalLanguageSearch': false,
  'workbench.startupEditor': 'none',
  'workbench.tips.enabled': false,
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'chat.disableAIFeatures': true,
  'git.openRepositoryInParentFolders': 'never',
  'npm.autoDetect': 'off',
};

/**
 * Where installTestTools.sh keeps VS Code's server and the Node.js that runs it.
 * @returns {{ readonly node: string, readonly main: string }}
 */
export function locateServer() {
  const script = join(projectRoot, 'scripts/installTestTools.sh');
  const cache = execFileSync('bash', [script, '--print-cache'], { encoding: 'utf8' }).trim();
  const node = join(cache, 'node/node_modules/node/bin/node');
  const main = join(cache, 'server/node_modules/code-server/lib/vscode/out/server-main.js');
  if (!existsSync(node) || !existsSync(main)) {
    throw new Error(`VS Code's server is not in ${cache}. Run scripts/installTestTools.sh first.`);
  }
  return { node, main };
}

/**
 * @typedef {object} ServerOptions
 * @property {string} dataFolder where the server keeps settings, extensions and state
 * @property {Readonly<Record<string, unknown>>} [settings] the user's settings, over `quietSettings`
 * @property {number} [port] 0 or nothing: a free one
 * @property {string} [host] the address to listen on; by default only this machine can connect
 * @property {boolean} [automated] whether VS Code obeys `extension` and `tests` of an address; it then shows no notifications
 * @property {boolean} [trusted] whether every folder is trusted; otherwise VS Code asks as usual
 * @property {Readonly<Record<string, string>>} [env] more environment for the server and its extension host
 */

/**
 * @typedef {object} PageOptions
 * @property {string} folder the folder to open
 * @property {string} [extension] an extension folder to load as its developer would
 * @property {string} [tests] a script whose `run()` is called inside the extension host
 * @property {Readonly<Record<string, string>>} [payload] more of VS Code's own start options
 */

/** A running server. */
export class VscodeServer {
  /**
   * @param {import('node:child_process').ChildProcess} child
   * @param {string} origin such as http://127.0.0.1:8123
   * @param {string} token without it nobody connects, not even another user of this machine
   * @param {() => string} log everything that the server has written so far
   */
  constructor(child, origin, token, log) {
    this.child = child;
    this.origin = origin;
    this.token = token;
    this.log = log;
  }

  /**
   * The address of a window.
   * @param {PageOptions} page
   * @returns {string}
   */
  address({ folder, extension, tests, payload = {} }) {
    /** @param {string} path */
    const remote = (path) => `vscode-remote://${new URL(this.origin).host}${resolve(path)}`;
    const options = Object.entries(payload);
    if (extension !== undefined) {
      options.push(['extensionDevelopmentPath', remote(extension)]);
    }
    if (tests !== undefined) {
      options.push(['extensionTestsPath', remote(tests)]);
    }
    const query = new URLSearchParams({ tkn: this.token, folder: resolve(folder) });
    if (options.length > 0) {
      query.set('payload', JSON.stringify(options));
    }
    return `${this.origin}/?${query}`;
  }

  /** Ends the server with its extension hosts and what they started. */
  async stop() {
    if (this.child.exitCode !== null || this.child.signalCode !== null || this.child.pid === undefined) {
      return;
    }
    const gone = new Promise((done) => this.child.once('exit', done));
    const group = -this.child.pid;
    signal(group, 'SIGTERM');
    const late = setTimeout(() => signal(group, 'SIGKILL'), 3000);
    await gone;
    clearTimeout(late);
    // The extension host outlives the server for a while, hoping that the window comes back.
    signal(group, 'SIGKILL');
  }
}

/**
 * Starts the server and waits until it answers.
 * @param {ServerOptions} options
 * @returns {Promise<VscodeServer>}
 */
export async function startServer(options) {
  const {
    dataFolder,
    settings = {},
    port = 0,
    host = '127.0.0.1',
    automated = false,
    trusted = true,
    env,
  } = options;
  const { node, main } = locateServer();
  writeSettings(dataFolder, settings);
  const token = randomUUID();
  const child = spawn(
    node,
    [
      main,
      ...['--host', host, '--port', String(port), '--connection-token', token],
      ...['--server-data-dir', dataFolder, '--telemetry-level', 'off', '--accept-server-license-terms'],
      ...(automated ? ['--enable-smoke-test-driver'] : []),
      ...(trusted ? ['--disable-workspace-trust'] : []),
    ],
    // Its own process group: stopping the server must not leave extension hosts behind.
    { stdio: ['ignore', 'pipe', 'pipe'], env: cleanEnvironment(env), detached: true },
  );
  // A Ctrl+C or a crash of this process must not leave the server behind.
  const end = () => child.pid !== undefined && signal(-child.pid, 'SIGKILL');
  process.once('exit', end);
  child.once('exit', () => process.off('exit', end));
  let written = '';
  const boundPort = await new Promise((ready, failed) => {
    const late = setTimeout(
      () => failed(new Error(`VS Code's server did not start in 60 s:\n${written}`)),
      60_000,
    );
    /** @param {Buffer} chunk */
    const read = (chunk) => {
      written += chunk;
      const bound = /Server bound to .*:(\d+)/.exec(written);
      if (bound !== null && /Extension host agent listening/.test(written)) {
        clearTimeout(late);
        ready(Number(bound[1]));
      }
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    child.once('error', failed);
    child.once('exit', (code) => failed(new Error(`VS Code's server ended with code ${code}:\n${written}`)));
  });
  return new VscodeServer(child, `http://${host}:${boundPort}`, token, () => written);
}

/**
 * Installs a packaged extension into the server of that data folder; call it before `startServer`.
 * @param {string} dataFolder
 * @param {string} vsix
 */
export function installExtension(dataFolder, vsix) {
  const { node, main } = locateServer();
  return execFileSync(
    node,
    [
      main,
      '--server-data-dir',
      dataFolder,
      '--accept-server-license-terms',
      '--install-extension',
      vsix,
      '--force',
    ],
    { encoding: 'utf8', env: cleanEnvironment(), stdio: ['ignore', 'pipe', 'pipe'] },
  );
}

/**
 * Lets the server of that data folder find an extension where it is built; call it before the first `startServer`.
 * @param {string} dataFolder
 * @param {string} extension the folder that holds its package.json
 */
export function linkExtension(dataFolder, extension) {
  const { publisher, name, version } = JSON.parse(readFileSync(join(extension, 'package.json'), 'utf8'));
  const folder = join(dataFolder, 'extensions');
  // VS Code remembers what it once found here; after a change of version that would be wrong.
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const link = join(folder, `${publisher}.${name}-${version}`);
  symlinkSync(resolve(extension), link, 'junction');
}

/**
 * Writes the user's settings and keeps those that are there; VS Code reads them when a window opens.
 * @param {string} dataFolder
 * @param {Readonly<Record<string, unknown>>} settings
 */
export function writeSettings(dataFolder, settings) {
  const folder = join(dataFolder, 'data/User');
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'settings.json');
  const before = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
  writeFileSync(file, JSON.stringify({ ...quietSettings, ...before, ...settings }, null, 2));
}

/**
 * This process's environment without what npm, vitest or a VS Code terminal added to it.
 * @param {Readonly<Record<string, string>>} [more]
 * @returns {NodeJS.ProcessEnv}
 */
function cleanEnvironment(more = {}) {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(npm_|VSCODE_|VITEST|NODE_ENV|NODE_OPTIONS|TEST$)/.test(name),
  );
  // Without a gallery VS Code asks no registry of extensions for anything.
  return { ...Object.fromEntries(kept), EXTENSIONS_GALLERY: '{"serviceUrl":""}', ...more };
}

/**
 * @param {number} target
 * @param {NodeJS.Signals} name
 */
function signal(target, name) {
  try {
    process.kill(target, name);
  } catch {
    // Already gone.
  }
}
