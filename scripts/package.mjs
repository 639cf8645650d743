// Makes the extension's package for one platform: fovea-<target>-<version>.vsix in the project's folder.
//   npm run package [-- --target linux-x64] [-- --out <file>]
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const native = 'node_modules/onnxruntime-node/bin/napi-v6';
// The platforms that onnxruntime-node has binaries for, as VS Code calls them.
const targets = ['linux-x64', 'linux-arm64', 'darwin-arm64', 'win32-x64', 'win32-arm64'];

const { values } = parseArgs({
  options: {
    target: { type: 'string', default: `${process.platform}-${process.arch}` },
    out: { type: 'string' },
  },
});
if (!targets.includes(values.target)) {
  console.error(`There is no package for ${values.target}. Choose one of ${targets.join(', ')}.`);
  process.exit(2);
}
const [system, processor] = values.target.split('-');
if (!existsSync(join(root, native, `${system}/${processor}`))) {
  console.error(`onnxruntime-node has no binaries for ${values.target} in ${native}. Run npm ci.`);
  process.exit(1);
}

run('scripts/build.mjs', ['--minify']);
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const out = resolve(root, values.out ?? `fovea-${values.target}-${version}.vsix`);
mkdirSync(dirname(out), { recursive: true });
const ignoreFile = join(root, 'dist/.vscodeignore');
writeFileSync(
  ignoreFile,
  [
    readFileSync(join(root, '.vscodeignore'), 'utf8').trimEnd(),
    `!${native}/${system}/${processor}/**`,
    // DirectML and DirectX compile shaders for a GPU; Fovea runs on the CPU.
    `${native}/${system}/${processor}/{DirectML,dxcompiler,dxil}.dll`,
    '',
  ].join('\n'),
);
run('node_modules/@vscode/vsce/vsce', [
  ...['package', '--target', values.target, '--out', out, '--ignoreFile', ignoreFile],
  ...['--allow-missing-repository', '--no-rewrite-relative-links'],
]);

/**
 * @param {string} script relative to the project
 * @param {readonly string[]} args
 */
function run(script, args) {
  const { status } = spawnSync(process.execPath, [join(root, script), ...args], {
    cwd: root,
    stdio: 'inherit',
  });
  if (status !== 0) {
    process.exit(status ?? 1);
  }
}
