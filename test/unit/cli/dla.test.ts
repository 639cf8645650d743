/** `fovea dla` and `fovea lens --components` from the outside: parts that add up to the model's logits, and messages. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Bundle, bundle } from '../../fixtures/bundle.ts';
import { reluHook, type TinyModel, writeTinyModel } from '../../fixtures/tinyModel.ts';
import { type Outcome, runProgram } from './program.ts';

let program: Bundle;
let tiny: TinyModel;

beforeAll(async () => {
  [program, tiny] = await Promise.all([bundle('src/cli/main.ts'), writeTinyModel(7)]);
});

afterAll(async () => {
  await program?.remove();
  await tiny?.remove();
});

function fovea(...argv: string[]): Promise<Outcome> {
  return runProgram(program.file, [...argv, '--model', tiny.folder]);
}

async function json(...argv: string[]) {
  const { code, out, err } = await fovea(...argv, '--json');
  expect({ code, err }).toEqual({ code: 0, err: '' });
  return JSON.parse(out);
}

interface Part {
  readonly component: string;
  readonly value: number;
}

/** Four tokens: the tiny model cuts "she" in two. */
const prompt = 'When she gave';
const contrast = ['--contrast', ' words', '--contrast', ' letter'];

describe('dla', () => {
  it('takes a contrast apart into parts that add up to what the model gave', async () => {
    const found = await json('dla', prompt, ...contrast);
    // Another command measures the same without taking anything apart.
    const other = await json('ablate', prompt, ...contrast, '--head', '0.0');
    const sum = found.components.reduce((all: number, { value }: Part) => all + value, 0);
    expect(sum).toBeCloseTo(other.effect.contrast.clean, 4);
    expect(found.measured).toBeCloseTo(other.effect.contrast.clean, 5);
    const names = found.components.map(({ component }: Part) => component);
    expect(names).toEqual(expect.arrayContaining(['token embedding', 'head 0.0', 'MLP 1', 'biases']));
  });

  it('shows the sum beside the logits, and names what it left out', async () => {
    const { code, out, err } = await fovea('dla', prompt, ...contrast, '--top', '2');
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(/^" words" − " letter" at ·gave, position 3\n/);
    expect(out).toMatch(/\n\d+ smaller components +[+−]/);
    const [, sum, logits] = /\nsum of all +(\S+)\nlogits +(\S+)\n/.exec(out) ?? [];
    expect(sum).toMatch(/^[+−]/);
    expect(sum).toBe(logits);
  });

  it('reads an earlier position, and the most probable token without a contrast', async () => {
    const found = await json('dla', prompt, '--position', '1');
    expect(found).toMatchObject({ position: 1, token: ' s' });
    expect(found.measured).toBeUndefined();
    const sum = found.components.reduce((all: number, { value }: Part) => all + value, 0);
    expect(sum).toBeCloseTo(found.total, 4);
  });

  it('takes the stream apart into features, bias and error', async () => {
    const { features } = await json('dla', prompt, ...contrast, '--sae', reluHook);
    const parts = features.features.reduce((all: number, { value }: Part) => all + value, 0);
    expect(parts + features.bias + features.error).toBeCloseTo(features.total, 4);
    const { out } = await fovea('dla', prompt, ...contrast, '--sae', reluHook);
    expect(out).toMatch(/SAE bias .*\nSAE error .*\nsum of all .*\nthe whole hook /);
  });

  it('refuses a position that the prompt does not have', async () => {
    const { code, err } = await fovea('dla', prompt, '--position', '9');
    expect(code).toBe(2);
    expect(err).toContain("--position takes a number below 4, the prompt's tokens, not 9.");
  });
});

describe('lens --components', () => {
  it('shows a row for the embeddings, every head and every MLP', async () => {
    const { components, position } = await json('lens', prompt, '--components', '--top', '4');
    expect(position).toBe(3);
    const names = components.map(({ component }: Part) => component);
    expect(names).toEqual(expect.arrayContaining(['embeddings', 'head 0.0', 'head 1.1', 'MLP 0', 'MLP 1']));
    for (const { topLogits, bottomLogits } of components) {
      expect(topLogits).toHaveLength(4);
      expect(topLogits[0].logit).toBeGreaterThan(bottomLogits[0].logit);
    }
    const { out } = await fovea('lens', prompt, '--components', '--position', '1');
    expect(out).toMatch(/^At ·s, position 1\n\ncomponent +raises +lowers\n/);
    expect(out).toMatch(/\nhead 1\.0 +\S+ [+−]/);
  });

  it('refuses what is for layers', async () => {
    const { code, err } = await fovea('lens', prompt, '--components', '--last', '2');
    expect({ code, err }).toMatchObject({ code: 2, err: expect.stringContaining('--last is not for') });
  });
});
