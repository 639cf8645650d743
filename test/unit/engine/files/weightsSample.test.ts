/** The sample that tells weights apart: small, and another one when the weights are. */
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { sampleWeights } from '../../../../src/engine/files/weightsSample.ts';
import { temporaryFolder } from '../../temporaryFolder.ts';

const parity = join(import.meta.dirname, '../../../fixtures/parity');

/** All of the sample in one piece. */
async function sampleOf(path: string): Promise<Buffer> {
  const pieces: Buffer[] = [];
  await sampleWeights(path, (piece) => pieces.push(Buffer.from(piece)));
  return Buffer.concat(pieces);
}

describe('sampleWeights', () => {
  it('holds the size and the header of a safetensors file, and all of it when it is small', async () => {
    const path = join(parity, 'gpt2', 'model.safetensors');
    const bytes = await readFile(path);
    const header = bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE()));
    const expected = Buffer.concat([Buffer.from(String(bytes.length)), header, bytes]);
    expect(bytes.length).toBeLessThan(2 ** 20);
    expect((await sampleOf(path)).equals(expected)).toBe(true);
  });

  it('meets every sixtieth of a large file, and stays small', async () => {
    const path = join(await temporaryFolder(), 'large.safetensors');
    const header = Buffer.from('{"a":{"dtype":"F32","shape":[2097152],"data_offsets":[0,8388608]}}');
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(header.length));
    const content = Buffer.concat([length, header, Buffer.alloc(8 * 2 ** 20)]);
    const samples = new Set<string>();
    for (let part = 0; part < 60; part++) {
      const start = 8 + header.length + Math.floor((part * 8 * 2 ** 20) / 60);
      const changed = Buffer.from(content).fill(7, start, start + Math.ceil((8 * 2 ** 20) / 60));
      await writeFile(path, changed);
      const sample = await sampleOf(path);
      expect(sample.length).toBeLessThan(1.1 * 2 ** 20);
      samples.add(createHash('sha256').update(sample).digest('hex'));
    }
    expect(samples.size).toBe(60);
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
      const sample = await sampleOf(path);
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
      expect((await sampleOf(path)).length).toBeLessThan(100);
    }
  });
});
