// Compiling and running: weights in place, bad feeds, and what the caller may rely on.

import { execFileSync } from 'node:child_process';
import { mkdir, symlink, truncate, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { DType } from '../../../../src/engine/graph/opAttributes.ts';
import { add, cast, mul } from '../../../../src/engine/graph/ops/elementwise.ts';
import { matMul } from '../../../../src/engine/graph/ops/layer.ts';
import { physicalCores } from '../../../../src/engine/graph/physicalCores.ts';
import { program } from '../../../../src/engine/graph/program.ts';
import { type CompileOptions, compile } from '../../../../src/engine/graph/session.ts';
import { input, parameter } from '../../../../src/engine/graph/sources.ts';
import type { Tensor } from '../../../../src/engine/graph/tensor.ts';
import { floatsOf, floatValue, intValue, toNumbers, type Value } from '../../../../src/engine/graph/value.ts';
import { failure, temporaryFolder } from '../../temporaryFolder.ts';

const x = input('x', 'float32', ['position', 2]);

async function evaluate(
  outputs: Readonly<Record<string, Tensor>>,
  feeds: Readonly<Record<string, Value>>,
  options?: CompileOptions,
): Promise<Record<string, Value>> {
  const compiled = await compile(program(outputs), options);
  try {
    return await compiled.run(feeds);
  } finally {
    await compiled.release();
  }
}

/** A file that holds `numbers` as float32 from byte `offset` on, and the weight that reads them. */
async function storedWeight(
  path: string,
  numbers: readonly number[],
  offset = 0,
  name = 'w',
): Promise<Tensor> {
  const bytes = new Uint8Array(offset + 4 * numbers.length);
  bytes.set(new Uint8Array(Float32Array.from(numbers).buffer), offset);
  await writeFile(path, bytes);
  return parameter(name, 'float32', [2, numbers.length / 2], {
    file: path,
    offset,
    length: 4 * numbers.length,
  });
}

const feeds = { x: floatValue([1, 2, 3, 4], [2, 2]) };
/** x · [[1, 2], [3, 4]] */
const product = [7, 10, 15, 22];

describe('compile', () => {
  test.each([0, 8, 64, 4, 3])('reads weights from their file at byte %i', async (offset) => {
    const w = await storedWeight(join(await temporaryFolder(), 'model.safetensors'), [1, 2, 3, 4], offset);
    const { y } = await evaluate({ y: matMul(x, w) }, feeds);
    expect(toNumbers(y!)).toEqual(product);
  });

  test('follows links out of the folder, as the Hugging Face cache has them', async () => {
    const folder = await temporaryFolder();
    await mkdir(join(folder, 'blobs'));
    await mkdir(join(folder, 'snapshot'));
    await storedWeight(join(folder, 'blobs', 'a1b2'), [1, 2, 3, 4]);
    const link = join(folder, 'snapshot', 'model.safetensors');
    await symlink(join('..', 'blobs', 'a1b2'), link);
    const w = parameter('w', 'float32', [2, 2], { file: link, offset: 0, length: 16 });
    expect(toNumbers((await evaluate({ y: matMul(x, w) }, feeds)).y!)).toEqual(product);
  });

  test('takes weights of one program from two folders', async () => {
    const [model, sae] = [await temporaryFolder(), await temporaryFolder()];
    const a = await storedWeight(join(model, 'weights.bin'), [1, 2, 3, 4, 0, 0, 0, 0], 0, 'a');
    const b = await storedWeight(join(sae, 'weights.bin'), [1, 0, 0, 1], 0, 'b');
    const { y } = await evaluate({ y: matMul(matMul(x, b), a) }, feeds);
    expect(toNumbers(y!)).toEqual([1 + 0, 2 + 0, 3, 4, 3, 6, 9, 12]);
  });

  test.each([
    // 1, −2, 0.5 and 65504 in each format's bits.
    ['float16', [0x3c00, 0xc000, 0x3800, 0x7bff], [1, -2, 0.5, 65504]],
    ['bfloat16', [0x3f80, 0xc000, 0x3f00, 0x4780], [1, -2, 0.5, 65536]],
  ] as const)('reads %s weights when they are cast', async (dtype: DType, bits, numbers) => {
    const file = join(await temporaryFolder(), 'half.bin');
    await writeFile(file, new Uint8Array(Uint16Array.from(bits).buffer));
    const w = cast(parameter('w', dtype, [2, 2], { file, offset: 0, length: 8 }), 'float32');
    const identity = floatValue([1, 0, 0, 1], [2, 2]);
    expect(toNumbers((await evaluate({ y: matMul(x, w) }, { x: identity })).y!)).toEqual(numbers);
  });

  test('gives the same result with one thread, without prepacking and without arena', async () => {
    const w = await storedWeight(join(await temporaryFolder(), 'w.bin'), [1, 2, 3, 4]);
    const { y } = await evaluate({ y: matMul(x, w) }, feeds, { threads: 1, prepacking: false, arena: false });
    expect(toNumbers(y!)).toEqual(product);
  });

  test('says which weight file is missing or too short', async () => {
    const path = join(await temporaryFolder(), 'model.safetensors');
    const w = await storedWeight(path, [1, 2, 3, 4]);
    await truncate(path, 12);
    const short = await failure(compile(program({ y: matMul(x, w) })));
    expect(short.code).toBe('file.malformed');
    expect(short.message).toContain('at least 16 bytes');
    const gone = parameter('w', 'float32', [2, 2], { file: `${path}.gone`, offset: 0, length: 16 });
    expect(await failure(compile(program({ y: matMul(x, gone) })))).toMatchObject({ code: 'file.missing' });
  });
});

describe('run', () => {
  test('says which feed is missing or of the wrong type or shape', async () => {
    const compiled = await compile(program({ y: mul(x, 2) }));
    await expect(compiled.run({})).rejects.toThrow('needs the input x: float32[position, 2]');
    await expect(compiled.run({ x: intValue([1, 2], [1, 2]) })).rejects.toThrow('but is int32[1, 2]');
    await expect(compiled.run({ x: floatValue([1, 2, 3], [1, 3]) })).rejects.toThrow('but is float32[1, 3]');
    await compiled.release();
  });

  test('passes on what the runtime says when sizes of one name differ', async () => {
    const sum = add(x, input('z', 'float32', ['position', 2]));
    const compiled = await compile(program({ sum }));
    const run = compiled.run({ ...feeds, z: floatValue(new Float32Array(6), [3, 2]) });
    await expect(run).rejects.toThrow('The program cannot run');
    await compiled.release();
  });

  test('fetches only what is asked, into the array that is given', async () => {
    const compiled = await compile(program({ twice: mul(x, 2), thrice: mul(x, 3) }));
    const target = floatValue(new Float32Array(4), [2, 2]);
    const results = await compiled.run(feeds, { fetches: ['thrice'], into: { thrice: target } });
    expect(Object.keys(results)).toEqual(['thrice']);
    expect(Array.from(target.data)).toEqual([3, 6, 9, 12]);
    await compiled.release();
  });

  test('works with no positions at all', async () => {
    const { y } = await evaluate(
      { y: matMul(x, matMul(input('w', 'float32', [2, 3]), input('v', 'float32', [3, 4]))) },
      {
        x: floatValue([], [0, 2]),
        w: floatValue(new Float32Array(6), [2, 3]),
        v: floatValue(new Float32Array(12), [3, 4]),
      },
    );
    expect(y!.dims).toEqual([0, 4]);
    expect(floatsOf(y!)).toHaveLength(0);
  });
});

test('importing the session does not load the native library', () => {
  const path = join(import.meta.dirname, '../../../../src/engine/graph/session.ts');
  const script = `
    import { build } from 'esbuild';
    const { outputFiles } = await build({ entryPoints: [${JSON.stringify(path)}], bundle: true, write: false,
      platform: 'node', format: 'esm', external: ['onnxruntime-node'] });
    await import('data:text/javascript;base64,' + Buffer.from(outputFiles[0].contents).toString('base64'));
    const loaded = process.report.getReport().sharedObjects.filter((file) => file.includes('onnxruntime'));
    process.stdout.write(JSON.stringify(loaded));`;
  const root = join(import.meta.dirname, '../../../..');
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
    cwd: root,
    encoding: 'utf8',
  });
  expect(JSON.parse(output)).toEqual([]);
});

test('the number of physical cores is at least one and at most what the system offers', () => {
  expect(physicalCores()).toBeGreaterThanOrEqual(1);
  expect(physicalCores()).toBeLessThanOrEqual(cpus().length);
});
