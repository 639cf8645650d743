// Badges: what a family's row says, and the comparison of a model with a recording of these very weights.
import { symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { floatValue } from '../../../../src/engine/graph/value.ts';
import {
  type ComparableModel,
  compareWithReference,
  familyParity,
  modelParity,
  referencePath,
} from '../../../../src/engine/model/parity.ts';
import { EngineError } from '../../../../src/shared/errors.ts';
import { temporaryFolder } from '../../temporaryFolder.ts';

const dVocab = 5;

/** A model whose logit of token `id` at position `p` is `10 p + id`. */
function countingModel(change: (logit: number) => number = (logit) => logit): ComparableModel {
  return {
    config: { dVocab, nContext: 8 },
    run: async ({ tokens }) => {
      const length = tokens[0]!.length;
      const logits = Float32Array.from({ length: length * dVocab }, (_, i) =>
        change(10 * Math.floor(i / dVocab) + (i % dVocab)),
      );
      return { logits: floatValue(logits, [1, length, dVocab]) };
    },
  };
}

const valid = {
  format: 'fovea-parity-1',
  reference: 'transformers 5.23.0 (eager, float32)',
  tokens: [1, 2, 3],
  positions: [
    { position: 0, ids: [0, 4], logits: [0, 4] },
    { position: 2, ids: [1], logits: [21] },
  ],
};

let folder: string;
beforeEach(async () => {
  folder = await temporaryFolder();
});

const write = (content: unknown) => writeFile(referencePath(folder), JSON.stringify(content));

describe('the badge of a family', () => {
  it('tells what it was compared with and the worst differences', () => {
    const badge = familyParity('gpt2');
    expect(badge).toMatchObject({
      compared: 'family',
      reference: expect.stringMatching(/^transformers \d/),
      hookReference: expect.stringMatching(/^TransformerLens \d/),
    });
    expect(badge.worstLogit).toBeGreaterThan(0);
    expect(badge.worstLogit).toBeLessThan(1e-4);
    expect(badge.worstHook).toBeLessThan(1e-3);
  });

  it('says that an unknown family was not compared', () => {
    expect(familyParity('mamba')).toEqual({ compared: 'none' });
    expect(familyParity('constructor')).toEqual({ compared: 'none' });
  });
});

describe('comparing a model with a recording of its weights', () => {
  it('says "not compared" when there is no recording', async () => {
    expect(await compareWithReference(countingModel(), folder)).toEqual({ compared: 'none' });
  });

  it('finds no difference when every logit is as recorded', async () => {
    await write(valid);
    expect(await compareWithReference(countingModel(), folder)).toEqual({
      compared: 'model',
      reference: 'transformers 5.23.0 (eager, float32)',
      worstLogit: 0,
    });
  });

  it('looks beside a GGUF file for a recording of that file', async () => {
    const file = join(folder, 'some.gguf');
    expect(await compareWithReference(countingModel(), file)).toEqual({ compared: 'none' });
    await writeFile(join(folder, 'some.gguf.fovea-parity.json'), JSON.stringify(valid));
    expect(await compareWithReference(countingModel(), file)).toMatchObject({ compared: 'model' });
    expect(await compareWithReference(countingModel(), join(folder, 'other.gguf'))).toEqual({
      compared: 'none',
    });
  });

  it('tells the largest difference, however large it is', async () => {
    await write({
      ...valid,
      positions: [...valid.positions, { position: 1, ids: [3, 0], logits: [15.5, 9.75] }],
    });
    expect(await compareWithReference(countingModel(), folder)).toMatchObject({ worstLogit: 2.5 });
    await write(valid);
    const doubled = await compareWithReference(
      countingModel((logit) => 2 * logit),
      folder,
    );
    expect(doubled).toMatchObject({ compared: 'model', worstLogit: 21 });
  });

  it('takes a logit that is no number for infinitely far off', async () => {
    await write(valid);
    const broken = countingModel(() => Number.NaN);
    expect(await compareWithReference(broken, folder)).toMatchObject({
      worstLogit: Number.POSITIVE_INFINITY,
    });
  });

  it.each([
    ['another format', { format: 'other' }, 'format'],
    ['no tokens', { tokens: [] }, 'tokens'],
    ['more tokens than the model reads', { tokens: [0, 0, 0, 0, 0, 0, 0, 0, 0] }, 'tokens'],
    ['a token beyond the vocabulary', { tokens: [1, 5, 3] }, 'tokens'],
    ['no positions', { positions: [] }, 'positions'],
    [
      'a position after the prompt',
      { positions: [{ position: 3, ids: [0], logits: [0] }] },
      'positions.0.position',
    ],
    ['a logit too few', { positions: [{ position: 0, ids: [0, 1], logits: [0] }] }, 'positions.0.logits'],
    [
      'an id beyond the vocabulary',
      { positions: [{ position: 0, ids: [9], logits: [0] }] },
      'positions.0.ids',
    ],
    [
      'a logit that is text',
      { positions: [{ position: 0, ids: [0], logits: ['0'] }] },
      'positions.0.logits.0',
    ],
  ])('refuses a recording with %s and names the field', async (_, change, field) => {
    await write({ ...valid, ...change });
    await expect(compareWithReference(countingModel(), folder)).rejects.toMatchObject({
      code: 'file.malformed',
      data: { path: referencePath(folder), field },
    });
  });

  it('refuses a recording that is no JSON, and one that is far too large', async () => {
    await writeFile(referencePath(folder), '{"format": "fovea');
    await expect(compareWithReference(countingModel(), folder)).rejects.toMatchObject({
      code: 'file.malformed',
    });
    await writeFile(referencePath(folder), JSON.stringify({ ...valid, padding: 'x'.repeat(1_100_000) }));
    await expect(compareWithReference(countingModel(), folder)).rejects.toMatchObject({
      code: 'file.malformed',
    });
  });

  it('reports a recording that cannot be read', async () => {
    await symlink(referencePath(folder), referencePath(folder));
    await expect(compareWithReference(countingModel(), folder)).rejects.toMatchObject({
      code: 'file.unreadable',
    });
  });
});

describe('the badge of an opened model', () => {
  const family = { compared: 'family', reference: 'transformers 5.23.0', worstLogit: 1e-6 } as const;
  const badge = (model = countingModel()) => modelParity(model, { path: folder, parity: family });

  it('is its family’s without a recording, and its own with one', async () => {
    expect(await badge()).toEqual(family);
    await write(valid);
    expect(await badge()).toMatchObject({ compared: 'model', worstLogit: 0 });
  });

  it('tells what is wrong with a damaged recording, and lets the model open', async () => {
    await write({ ...valid, tokens: [99] });
    const found = await badge();
    expect(found).toMatchObject(family);
    expect(found.problem).toContain('tokens should be ids below 5, but is 99');
  });

  it('passes on that the user cancelled, and faults of the model', async () => {
    await write(valid);
    const cancelled = new EngineError('cancelled', {});
    const failing = { ...countingModel(), run: () => Promise.reject(cancelled) };
    await expect(badge(failing)).rejects.toBe(cancelled);
  });
});
