// Compares Fovea with transformers on a real model from a GGUF file; see test/parity/compareSmollm2.ts.
//   node scripts/compareSmollm2.mjs SmolLM2-135M-Instruct.Q4_1.gguf

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const [path] = process.argv.slice(2);
if (!path) {
  process.stderr.write('Name the GGUF file: see test/parity/README.md.\n');
  process.exit(2);
}
// ONNX Runtime stays outside the bundle, so it must lie where Node.js finds node_modules.
const folder = mkdtempSync(join(root, 'node_modules', '.fovea-compare-'));
try {
  const outfile = join(folder, 'compare.cjs');
  await build({
    entryPoints: [join(root, 'test/parity/compareSmollm2.ts')],
    bundle: true,
    platform: 'node',
    format: 'cjs',
    outfile,
    external: ['onnxruntime-node'],
    mainFields: ['module', 'main'],
    logLevel: 'error',
  });
  const recording = join(root, 'test/fixtures/parity/smollm2.json');
  const args = [outfile, resolve(path), recording, join(folder, 'storage')];
  const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' });
  process.exitCode = status ?? 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
