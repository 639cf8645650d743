// Bundles Fovea with esbuild into dist/: the extension, the engine process, the command line and one script per webview.
//   node scripts/build.mjs [--watch] [--minify] [--tests] [--bench]
// --tests adds the bundle that runs inside VS Code, --bench the benchmarks.
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import * as esbuild from 'esbuild';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const { values: flags } = parseArgs({
  options: {
    watch: { type: 'boolean', default: false },
    minify: { type: 'boolean', default: false },
    tests: { type: 'boolean', default: false },
    bench: { type: 'boolean', default: false },
  },
});

/** @type {esbuild.BuildOptions} */
const shared = {
  absWorkingDir: root,
  bundle: true,
  minify: flags.minify,
  sourcemap: flags.minify ? false : 'linked',
  sourcesContent: false,
  legalComments: flags.minify ? 'eof' : 'none',
  logLevel: 'warning',
  metafile: true,
};

/** @type {esbuild.BuildOptions} */
const forNode = {
  ...shared,
  platform: 'node',
  format: 'cjs',
  target: 'node20',
  // Sources are ES modules; in the CommonJS bundle their own address is that of the bundle.
  define: { 'import.meta.url': 'importMetaUrl', FOVEA_VERSION: JSON.stringify(version) },
  banner: { js: 'const importMetaUrl = require("node:url").pathToFileURL(__filename).href;' },
  // Some packages have a browser entry first; these bundles never run in one.
  mainFields: ['module', 'main'],
  conditions: ['node', 'module'],
  // What is not in a bundle is CommonJS: as such it loads without Node's second loader, in a third of the time.
  supported: { 'dynamic-import': false },
};

/**
 * Large libraries that few sessions of the engine need: read when they are first imported, each from a bundle of its
 * own. The time in which a process starts goes with what it has to read.
 * @type {Readonly<Record<string, string>>}
 */
const seldomUsed = { yaml: 'yaml', '@huggingface/hub': 'hub' };

/** @type {esbuild.Plugin} */
const leaveOutSeldomUsed = {
  name: 'leave out what is seldom used',
  setup({ onResolve }) {
    onResolve({ filter: new RegExp(`^(${Object.keys(seldomUsed).join('|')})$`) }, ({ kind, path }) =>
      kind === 'dynamic-import' ? { path: `./${seldomUsed[path]}.cjs`, external: true } : undefined,
    );
  },
};

/** @type {readonly { readonly entry: string; readonly options: esbuild.BuildOptions }[]} */
const nodeBundles = [
  { entry: 'src/extension.ts', options: { outfile: 'dist/extension.cjs', external: ['vscode'] } },
  {
    entry: 'src/engine/main.ts',
    options: {
      outfile: 'dist/engine.cjs',
      external: ['onnxruntime-node'],
      plugins: [leaveOutSeldomUsed],
    },
  },
  {
    entry: 'src/cli/main.ts',
    options: {
      outfile: 'dist/cli.cjs',
      external: ['onnxruntime-node'],
      plugins: [leaveOutSeldomUsed],
      banner: { js: `#!/usr/bin/env node\n${forNode.banner?.js}` },
    },
  },
];

/** @returns {esbuild.BuildOptions[]} */
function libraryBundles() {
  return Object.entries(seldomUsed).map(([library, name]) => ({
    ...forNode,
    entryPoints: { [name]: library },
    outdir: 'dist',
    outExtension: { '.js': '.cjs' },
  }));
}

/** @returns {esbuild.BuildOptions[]} */
function webviewBundles() {
  const folder = join(root, 'webview-ui');
  if (!existsSync(folder)) {
    return [];
  }
  return readdirSync(folder)
    .filter((name) => existsSync(join(folder, name, 'main.tsx')))
    .map((name) => ({
      ...shared,
      entryPoints: { [name]: `webview-ui/${name}/main.tsx` },
      outdir: 'dist/webview',
      platform: 'browser',
      format: 'iife',
      target: ['chrome120', 'safari17', 'firefox120'],
      jsx: 'automatic',
      jsxImportSource: 'preact',
      loader: { '.svg': 'text' },
      define: { 'process.env.NODE_ENV': flags.minify ? '"production"' : '"development"' },
    }));
}

/**
 * The tests that run inside VS Code: every test/host/*.test.ts, each loaded only after mocha's globals exist.
 * @returns {esbuild.BuildOptions[]}
 */
function hostTestBundle() {
  const folder = process.env.FOVEA_HOST_TESTS ?? join(root, 'test/host');
  if (!existsSync(folder)) {
    return [];
  }
  const files = readdirSync(folder)
    .filter((name) => name.endsWith('.test.ts'))
    .sort();
  const loaders = files.map(
    (name) => `  [${JSON.stringify(name)}, () => import(${JSON.stringify(join(folder, name))})],`,
  );
  const contents = [
    `import { runMocha } from './test/vscode/runMocha.ts';`,
    `export const run = () => runMocha([`,
    ...loaders,
    `]);`,
  ].join('\n');
  return [
    {
      ...forNode,
      stdin: { contents, resolveDir: root, sourcefile: 'hostTests.ts', loader: 'ts' },
      outfile: 'dist/test/host/index.cjs',
      external: ['vscode', 'mocha', 'onnxruntime-node'],
      minify: false,
      sourcemap: 'inline',
    },
  ];
}

/**
 * The benchmarks: one script each, beside the engine that some of them fork.
 * @returns {esbuild.BuildOptions}
 */
function benchBundle() {
  return {
    ...forNode,
    entryPoints: ['bench/*.ts'],
    outdir: 'dist/bench',
    outExtension: { '.js': '.cjs' },
    external: ['onnxruntime-node'],
  };
}

/** @returns {esbuild.BuildOptions[]} */
function allBundles() {
  const present = nodeBundles.filter(({ entry }) => {
    const isThere = existsSync(join(root, entry));
    if (!isThere) {
      console.log(`build: ${entry} does not exist, skipped`);
    }
    return isThere;
  });
  return [
    ...present.map(({ entry, options }) => ({ ...forNode, ...options, entryPoints: [entry] })),
    ...libraryBundles(),
    ...webviewBundles(),
    ...(flags.tests ? hostTestBundle() : []),
    ...(flags.bench ? [benchBundle()] : []),
  ];
}

/** @param {esbuild.Metafile} metafile */
function printSizes(metafile) {
  for (const [file, { bytes }] of Object.entries(metafile.outputs)) {
    if (!file.endsWith('.map')) {
      console.log(`build: ${file}  ${(bytes / 1024).toFixed(0)} KB`);
    }
  }
}

/**
 * Puts the files beside the engine's bundles that it looks for there.
 * @param {string} folder
 */
function copyFiles(folder) {
  mkdirSync(join(root, folder), { recursive: true });
  for (const file of [
    'node_modules/node-sqlite3-wasm/dist/node-sqlite3-wasm.wasm',
    'src/engine/sae/releases.json',
  ]) {
    copyFileSync(join(root, file), join(root, folder, basename(file)));
  }
}

/** Writes what was built: runs of experiments that another build has kept are not gone on with. */
function writeBuilt() {
  const hash = createHash('sha256');
  for (const { options } of nodeBundles) {
    const file = join(root, options.outfile ?? '');
    if (existsSync(file)) {
      hash.update(readFileSync(file));
    }
  }
  const built = { minified: flags.minify, build: hash.digest('hex').slice(0, 16) };
  writeFileSync(join(root, 'dist/built.json'), `${JSON.stringify(built)}\n`);
}

const bundles = allBundles();
if (flags.watch) {
  const noted = { name: 'built', setup: (/** @type {esbuild.PluginBuild} */ { onEnd }) => onEnd(writeBuilt) };
  copyFiles('dist');
  for (const bundle of bundles) {
    const plugins = [...(bundle.plugins ?? []), noted];
    const context = await esbuild.context({ ...bundle, logLevel: 'info', plugins });
    await context.watch();
  }
} else {
  // Sources may lose a webview or an entry; what they once made must not be shipped.
  rmSync(join(root, 'dist'), { recursive: true, force: true });
  mkdirSync(join(root, 'dist'), { recursive: true });
  copyFiles('dist');
  if (flags.bench) {
    copyFiles('dist/bench');
  }
  const results = await Promise.allSettled(bundles.map((bundle) => esbuild.build(bundle)));
  for (const result of results) {
    if (result.status === 'fulfilled') {
      printSizes(/** @type {esbuild.Metafile} */ (result.value.metafile));
    } else {
      // esbuild has already shown where.
      process.exitCode = 1;
    }
  }
  writeBuilt();
}
