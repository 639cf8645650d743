// Bundles Fovea with esbuild into dist/: the extension, the engine process, the command line and one script per webview.
//   node scripts/build.mjs [--watch] [--minify] [--tests] [--bench]
// --tests adds the bundle that runs inside VS Code, --bench the benchmarks.
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
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
};

/** @type {readonly { readonly entry: string; readonly options: esbuild.BuildOptions }[]} */
const nodeBundles = [
  { entry: 'src/extension.ts', options: { outfile: 'dist/extension.cjs', external: ['vscode'] } },
  { entry: 'src/engine/main.ts', options: { outfile: 'dist/engine.cjs', external: ['onnxruntime-node'] } },
  {
    entry: 'src/cli/main.ts',
    options: {
      outfile: 'dist/cli.cjs',
      external: ['onnxruntime-node'],
      banner: { js: `#!/usr/bin/env node\n${forNode.banner?.js}` },
    },
  },
];

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

const bundles = allBundles();
if (flags.watch) {
  for (const bundle of bundles) {
    const context = await esbuild.context({ ...bundle, logLevel: 'info' });
    await context.watch();
  }
} else {
  // Sources may lose a webview or an entry; what they once made must not be shipped.
  rmSync(join(root, 'dist'), { recursive: true, force: true });
  mkdirSync(join(root, 'dist'), { recursive: true });
  // SQLite's library looks for its code beside the script that it is bundled into.
  copyFileSync(
    join(root, 'node_modules/node-sqlite3-wasm/dist/node-sqlite3-wasm.wasm'),
    join(root, 'dist/node-sqlite3-wasm.wasm'),
  );
  const results = await Promise.allSettled(bundles.map((bundle) => esbuild.build(bundle)));
  for (const result of results) {
    if (result.status === 'fulfilled') {
      printSizes(/** @type {esbuild.Metafile} */ (result.value.metafile));
    } else {
      // esbuild has already shown where.
      process.exitCode = 1;
    }
  }
  writeFileSync(join(root, 'dist/built.json'), `${JSON.stringify({ minified: flags.minify })}\n`);
}
