/** The packaged extension: that it holds what is needed and nothing else, and that it works once installed. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { projectRoot } from '../../scripts/vscodeServer.mjs';
import { listZip, type ZipEntry } from '../vscode/listZip.ts';
import { openPage } from '../vscode/openPage.ts';
import type { Workbench } from '../vscode/workbench.ts';

const platform = `${process.platform}/${process.arch}`;
const megabyte = 1024 ** 2;

/** Everything that may be in the package of this platform. */
const allowed: readonly RegExp[] = [
  /^\[Content_Types\]\.xml$/,
  /^extension\.vsixmanifest$/,
  /^extension\/(package\.json|package\.nls\.json|readme\.md|changelog\.md|LICENSE\.txt)$/,
  /^extension\/dist\/(extension|engine|cli|yaml|hub)\.cjs$/,
  /^extension\/dist\/(releases|built)\.json$/,
  /^extension\/dist\/node-sqlite3-wasm\.wasm$/,
  /^extension\/dist\/webview\/[a-zA-Z]+\.(js|css)$/,
  /^extension\/media\/.+\.(svg|png|md|schema\.json)$/,
  /^extension\/examples\/.+\.(prompt\.txt|task\.jsonl|fovea\.json|md)$/,
  /^extension\/models\/mini\/.+\.(json|safetensors|md|txt)$/,
  /^extension\/node_modules\/onnxruntime-(node|common)\/package\.json$/,
  /^extension\/node_modules\/onnxruntime-node\/dist\/[a-z]+\.js$/,
  /^extension\/node_modules\/onnxruntime-common\/dist\/cjs\/([a-z-]+\.js|package\.json)$/,
  new RegExp(`^extension/node_modules/onnxruntime-node/bin/napi-v6/${platform}/[^/]+$`),
];

/** What the extension cannot do without. */
const needed: readonly string[] = [
  'extension/package.json',
  'extension/package.nls.json',
  'extension/readme.md',
  'extension/changelog.md',
  'extension/LICENSE.txt',
  'extension/dist/extension.cjs',
  'extension/dist/engine.cjs',
  'extension/dist/cli.cjs',
  'extension/dist/yaml.cjs',
  'extension/dist/hub.cjs',
  'extension/dist/releases.json',
  'extension/dist/built.json',
  'extension/dist/node-sqlite3-wasm.wasm',
  'extension/dist/webview/tokens.js',
  'extension/dist/webview/tokens.css',
  'extension/dist/webview/circuit.js',
  'extension/dist/webview/circuit.css',
  'extension/models/mini/config.json',
  'extension/models/mini/model.safetensors',
  'extension/models/mini/tokenizer.json',
  'extension/node_modules/onnxruntime-common/dist/cjs/index.js',
  'extension/node_modules/onnxruntime-node/dist/index.js',
  `extension/node_modules/onnxruntime-node/bin/napi-v6/${platform}/onnxruntime_binding.node`,
];

let vsix: string;
let entries: readonly ZipEntry[];

beforeAll(() => {
  vsix = process.env.FOVEA_VSIX ?? join(projectRoot, 'test-results/fovea.vsix');
  if (process.env.FOVEA_VSIX === undefined) {
    const script = join(projectRoot, 'scripts/package.mjs');
    spawnSync(process.execPath, [script, '--out', vsix], { cwd: projectRoot, stdio: 'inherit' });
  }
  entries = listZip(vsix);
});

describe('the package', () => {
  test('holds nothing but what is on the list', () => {
    const strangers = entries.map(({ path }) => path).filter((path) => !allowed.some((it) => it.test(path)));
    expect(strangers).toEqual([]);
  });

  test('holds everything that the extension needs', () => {
    const paths = new Set(entries.map(({ path }) => path));
    expect(needed.filter((path) => !paths.has(path))).toEqual([]);
  });

  test('holds every file that the manifest names', () => {
    const paths = new Set(entries.map(({ path }) => path));
    const manifest = readFileSync(join(projectRoot, 'package.json'), 'utf8');
    const named = [...manifest.matchAll(/"(?:\.\/)?((?:media|dist)\/[^"]+\.[a-z]+)"/g)].map(
      (match) => match[1],
    );
    expect(named.length).toBeGreaterThan(0);
    expect(named.filter((path) => !paths.has(`extension/${path}`))).toEqual([]);
  });

  test('is small: one native library, a model of at most 15 MB, and bundles of at most 6 MB', () => {
    const sum = (part: RegExp, of: 'size' | 'packedSize') =>
      entries.filter(({ path }) => part.test(path)).reduce((total, entry) => total + entry[of], 0);
    expect(sum(/./, 'packedSize')).toBeLessThan(48 * megabyte);
    expect(sum(/^extension\/models\//, 'size')).toBeLessThan(15 * megabyte);
    expect(sum(/^extension\/dist\//, 'size')).toBeLessThan(6 * megabyte);
  });
});

describe('the installed package', () => {
  let workbench: Workbench | undefined;

  afterAll(async () => {
    await workbench?.close('package');
  });

  test('shows the tokens of a sample prompt', async () => {
    expect(existsSync(vsix)).toBe(true);
    workbench = await openPage({ vsix });
    await workbench.openFile('indirectObject.prompt.txt');
    await workbench.runCommand('Fovea: Inspect Document');
    const tokens = await workbench.webview('tokens');
    await expect.poll(() => tokens.locator('body').textContent(), { timeout: 30_000 }).toContain('Mary');
    await workbench.screenshot('installedPackage');
    expect(workbench.policyViolations).toEqual([]);
  });
});
