/** The sample that tells weights apart: small, and another one when the weights are. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readWeightsSample } from '../../../../src/engine/files/weightsSample.ts';
import { temporaryFolder } from '../../temporaryFolder.ts';

const parity = join(import.meta.dirname, '../../../fixtures/parity');

describe('readWeightsSample', () => {
  it('holds the header and the first data of a safetensors file', async () => {
    const path = join(parity, 'gpt2', 'model.safetensors');
    const bytes = await readFile(path);
    const end = 8 + Number(bytes.readBigUInt64LE()) + 65536;
    expect(Buffer.from(await readWeightsSample(path))).toEqual(bytes.subarray(8, end));
  });

  it('changes with a number at the start or the end of any other file, and with its size', async () => {
    const path = join(await temporaryFolder(), 'a.pt');
    const content = Buffer.concat([
      await readFile(join(parity, 'files', 'checkpoint.pt')),
      Buffer.alloc(200_000, 1),
    ]);
    const samples = new Set<string>();
    for (const change of [
      () => content,
      () => content.fill(9, 700, 704),
      () => content.fill(9, content.length - 4),
      () => content.subarray(1),
    ]) {
      await writeFile(path, change());
      const sample = Buffer.from(await readWeightsSample(path));
      expect(sample.length).toBeLessThan(140_000);
      samples.add(sample.toString('base64'));
    }
    expect(samples.size).toBe(4);
  });

  it('takes no length of a damaged file at its word', async () => {
    const path = join(await temporaryFolder(), 'a.safetensors');
    for (const content of [
      Buffer.alloc(0),
      Buffer.alloc(9, 0xff),
      Buffer.concat([Buffer.alloc(8, 0xff), Buffer.from('{}  ')]),
    ]) {
      await writeFile(path, content);
      expect((await readWeightsSample(path)).length).toBeLessThan(100);
    }
  });
});
