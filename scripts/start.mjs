// Opens Fovea on the sample prompts: in desktop VS Code when `code` is at hand, else in VS Code's server, whose address
// it prints. Before that it shows the features of the first sample in the terminal.
//   npm start [-- --port 8123] [-- --host 127.0.0.1] [-- --browser] [-- --folder <workspace>]
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { linkExtension, projectRoot, startServer } from './vscodeServer.mjs';

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '8123' },
    host: { type: 'string', default: '127.0.0.1' },
    browser: { type: 'boolean', default: false },
    folder: { type: 'string', default: join(projectRoot, 'examples') },
  },
});
const folder = resolve(values.folder);
const sample = join(projectRoot, 'examples/indirectObject.prompt.txt');
const opensFirst = join(folder, 'indirectObject.prompt.txt');

if (isBuildStale()) {
  runOrExit(process.execPath, ['scripts/build.mjs']);
}
showFeatures();
if (!values.browser && hasDesktop()) {
  await openDesktop();
} else {
  await openServer();
}

/** Whether a source is newer than the last build, or that was another kind of build. */
function isBuildStale() {
  const built = join(projectRoot, 'dist/built.json');
  if (!existsSync(built) || !existsSync(join(projectRoot, 'dist/extension.cjs'))) {
    return true;
  }
  const since = statSync(built).mtimeMs;
  return ['src', 'webview-ui', 'scripts/build.mjs', 'package.json'].some(
    (path) => newest(join(projectRoot, path)) > since,
  );
}

/**
 * Time of the newest file under a path.
 * @param {string} path
 * @returns {number}
 */
function newest(path) {
  const stats = statSync(path);
  return stats.isDirectory()
    ? Math.max(stats.mtimeMs, ...readdirSync(path).map((name) => newest(join(path, name))))
    : stats.mtimeMs;
}

/** The main job without an editor, for whoever has only this terminal. */
function showFeatures() {
  if (!existsSync(join(projectRoot, 'models/mini/config.json'))) {
    console.log('There is no model in models/mini; npm run train:mini makes it.');
    return;
  }
  console.log(`\nFeatures of ${sample}:\n`);
  spawnSync(process.execPath, ['dist/cli.cjs', 'features', sample], { cwd: projectRoot, stdio: 'inherit' });
}

/** Whether `code` opens a window on this screen; inside a remote window it would open one elsewhere. */
function hasDesktop() {
  if (process.env.VSCODE_IPC_HOOK_CLI !== undefined) {
    return false;
  }
  if (process.platform === 'linux') {
    const hasScreen = process.env.DISPLAY !== undefined || process.env.WAYLAND_DISPLAY !== undefined;
    // As root, VS Code refuses to open.
    if (!hasScreen || process.getuid?.() === 0) {
      return false;
    }
  }
  return spawnSync('code', ['--version'], { shell: process.platform === 'win32' }).status === 0;
}

async function openDesktop() {
  console.log('\nFovea opens in VS Code; this command ends when that window is closed.');
  const args = [`--extensionDevelopmentPath=${projectRoot}`, '--new-window', '--wait', folder, opensFirst];
  const child = spawn('code', args, { stdio: 'inherit', shell: process.platform === 'win32' });
  process.exitCode = await new Promise((done) => child.once('exit', (code) => done(code ?? 1)));
}

async function openServer() {
  const installer = join(projectRoot, 'scripts/installTestTools.sh');
  runOrExit('bash', [installer, '--server-only']);
  const cache = execFileSync('bash', [installer, '--print-cache'], { encoding: 'utf8' }).trim();
  const dataFolder = join(dirname(cache), 'window');
  mkdirSync(dataFolder, { recursive: true });
  linkExtension(dataFolder, projectRoot);
  const port = await freePort(Number(values.port));
  const server = await startServer({ dataFolder, host: values.host, port });
  const payload = { openFile: `vscode-remote://${new URL(server.origin).host}${opensFirst}` };
  console.log(`\nFovea is open in VS Code at\n\n  ${server.address({ folder, payload })}\n\nCtrl+C ends it.`);
  for (const name of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
    process.once(name, () => void server.stop().then(() => process.exit(0)));
  }
  server.child.once('exit', (code) => process.exit(code ?? 0));
}

/**
 * The port asked for when nobody else has it, else any free one.
 * @param {number} wanted
 * @returns {Promise<number>}
 */
function freePort(wanted) {
  return new Promise((done) => {
    const probe = createServer();
    probe.once('error', () => done(0));
    probe.listen(wanted, values.host, () => probe.close(() => done(wanted)));
  });
}

/**
 * @param {string} command
 * @param {readonly string[]} args
 */
function runOrExit(command, args) {
  const { status } = spawnSync(command, args, { cwd: projectRoot, stdio: 'inherit' });
  if (status !== 0) {
    process.exit(status ?? 1);
  }
}
