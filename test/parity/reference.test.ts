// The embedded model compared with the recording that lies beside its weights (made by record_reference.py).
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { referencePath } from '../../src/engine/model/parity.ts';
import { Transformer } from '../../src/engine/model/transformer.ts';
import { temporaryFolder } from '../unit/temporaryFolder.ts';

const folder = 'models/mini';

describe('the embedded model', () => {
  let model: Transformer;
  beforeAll(async () => {
    model = await Transformer.open(folder);
  });
  afterAll(() => model?.release());

  it('is read as transformers reads it', async () => {
    const badge = model.info.parity;
    expect(badge).toMatchObject({ compared: 'model', reference: expect.stringContaining('transformers 5.') });
    expect(badge.worstLogit).toBeLessThan(1e-4);
  });

  it('shows a difference when its weights are not the recorded ones', async () => {
    const other = await temporaryFolder();
    await cp(join(folder, 'config.json'), join(other, 'config.json'));
    await cp(referencePath(folder), referencePath(other));
    const weights = await readFile(join(folder, 'model.safetensors'));
    // The sign bit of one weight in a hundred, in the second half of the file.
    for (let at = weights.length - 1 - (weights.length % 4); at > weights.length / 2; at -= 400) {
      weights[at]! ^= 0x80;
    }
    await writeFile(join(other, 'model.safetensors'), weights);
    const changed = await Transformer.open(other);
    const badge = changed.info.parity;
    await changed.release();
    expect(badge.compared).toBe('model');
    expect(badge.worstLogit).toBeGreaterThan(0.05);
  });
});
