/** The live path must give what a fresh run gives, whatever was typed before. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { floatsOf, type Value } from '../../../../src/engine/graph/value.ts';
import { GrowingRows } from '../../../../src/engine/model/growingRows.ts';
import { type PromptRun, runPrompt } from '../../../../src/engine/model/promptRun.ts';
import { Transformer } from '../../../../src/engine/model/transformer.ts';
import { seededRandom } from '../../../../src/engine/random.ts';
import { plainGpt2 } from '../../../fixtures/plainGpt2.ts';
import { tinyConfig, tinyWeights, writeTinyGpt2 } from '../../../fixtures/tinyGpt2.ts';

const hooks = ['blocks.0.hook_mlp_out', 'blocks.1.attn.hook_z', 'hook_embed'];
const options = { hooks, attention: true } as const;
const weights = tinyWeights(tinyConfig, 3);

let model: Transformer;

beforeAll(async () => {
  model = await Transformer.open(await writeTinyGpt2(tinyConfig, weights));
});

afterAll(() => model?.release());

describe('runPrompt', () => {
  it('reuses the common prefix and gives what a fresh run gives, over a hundred edits of a prompt', async () => {
    const random = seededRandom(9);
    let tokens: number[] = [1, 2, 3];
    let previous: PromptRun | undefined;
    for (let step = 0; step < 100; step++) {
      const before = tokens;
      tokens = typed(tokens, random);
      const run = await runPrompt(model, Int32Array.from(tokens), { ...options, previous });
      let prefix = 0;
      while (previous && prefix < tokens.length && tokens[prefix] === before[prefix]) prefix++;
      expect(run.reused).toBe(prefix);
      await expectFresh(run, tokens);
      previous = run;
    }
  });

  it('leaves earlier runs as they were', async () => {
    const first = await runPrompt(model, Int32Array.of(1, 2, 3, 4), options);
    const longer = await runPrompt(model, Int32Array.of(1, 2, 3, 4, 5), { ...options, previous: first });
    await runPrompt(model, Int32Array.of(1, 2, 3, 4, 9, 9), { ...options, previous: longer });
    await runPrompt(model, Int32Array.of(1, 2, 8), { ...options, previous: first });
    await expectFresh(first, [1, 2, 3, 4]);
    await expectFresh(longer, [1, 2, 3, 4, 5]);
  });

  it('makes up for hooks that the run before did not keep', async () => {
    const bare = await runPrompt(model, Int32Array.of(1, 2, 3), {});
    const run = await runPrompt(model, Int32Array.of(1, 2, 3, 4), { hooks, previous: bare });
    expect(run.reused).toBe(3);
    const fresh = await model.run({ tokens: [run.tokens], capture: hooks });
    for (const name of hooks) expect(gap(run.hook(name), fresh.hooks.get(name)!), name).toBeLessThan(1e-5);
  });

  it('captures any hook of any stage again, from the kept streams', async () => {
    const run = await runPrompt(model, Int32Array.of(4, 5, 6), {});
    const names = [
      'hook_pos_embed',
      'blocks.1.attn.hook_pattern',
      'blocks.1.ln2.hook_scale',
      'unembed.hook_out',
    ];
    const found = await run.capture(names);
    const fresh = await model.run({ tokens: [run.tokens], capture: names });
    for (const name of names) expect(gap(found.get(name)!, fresh.hooks.get(name)!), name).toBeLessThan(1e-5);
    expect(
      gap(
        await run.pattern(0),
        (await run.capture(['blocks.0.attn.hook_pattern'])).get('blocks.0.attn.hook_pattern')!,
      ),
    ).toBe(0);
  });

  it('does nothing twice for the same tokens, and shortens without running', async () => {
    const run = await runPrompt(model, Int32Array.of(4, 5, 6), options);
    const same = await runPrompt(model, Int32Array.of(4, 5, 6), { ...options, previous: run });
    expect(same.reused).toBe(3);
    const shorter = await runPrompt(model, Int32Array.of(4, 5), { ...options, previous: same });
    expect(shorter.reused).toBe(2);
    await expectFresh(shorter, [4, 5]);
  });

  it('finds the head that looks back hardest, first token and self left out', async () => {
    const tokens = [7, 3, 19, 3, 7, 25];
    const { strongestAttention } = await runPrompt(model, Int32Array.from(tokens), options);
    expect(strongestAttention!.slice(0, 2)).toEqual([undefined, undefined]);
    const best = tokens.map(() => ({ weight: 0, place: '' }));
    const indices = [...tokens.keys()];
    // Every head, query and key with first key and self left out.
    const looks = [0, 1, 2].flatMap((head) =>
      indices.flatMap((query) => indices.slice(1, query).map((key) => ({ head, query, key }))),
    );
    plainGpt2(tinyConfig, weights, tokens, (name, { data }) => {
      if (!name.endsWith('hook_pattern')) return;
      for (const { head, query, key } of looks) {
        const weight = data[(head * 6 + query) * 6 + key]!;
        if (weight > best[query]!.weight) best[query] = { weight, place: `${name[7]} ${head} ${key}` };
      }
    });
    for (let query = 2; query < 6; query++) {
      const { layer, head, source, weight } = strongestAttention![query]!;
      expect(`${layer} ${head} ${source}`).toBe(best[query]!.place);
      expect(weight).toBeCloseTo(best[query]!.weight, 5);
    }
  });

  it('refuses to keep hooks that have no row per position', async () => {
    const wrong = { hooks: ['blocks.0.attn.hook_pattern'] };
    await expect(runPrompt(model, Int32Array.of(1), wrong)).rejects.toMatchObject({
      code: 'request.invalid',
    });
  });

  it('refuses an empty prompt and stops when cancelled, leaving the run before usable', async () => {
    const run = await runPrompt(model, Int32Array.of(1, 2, 3), options);
    await expect(runPrompt(model, new Int32Array(0), { previous: run })).rejects.toMatchObject({
      code: 'prompt.empty',
    });
    const signal = AbortSignal.abort();
    const cancelled = runPrompt(model, Int32Array.of(1, 2, 9), { ...options, previous: run, signal });
    await expect(cancelled).rejects.toMatchObject({ code: 'cancelled' });
    await expectFresh(run, [1, 2, 3]);
  });
});

describe('GrowingRows', () => {
  it('shares memory while rows are added at the end and copies otherwise', () => {
    const one = GrowingRows.empty([2]).extended(0, Float32Array.of(1, 2, 3, 4));
    const two = one.extended(2, Float32Array.of(5, 6));
    expect(two.value().data.buffer).toBe(one.value().data.buffer);
    const other = one.extended(1, Float32Array.of(9, 9));
    expect(other.value().data.buffer).not.toBe(one.value().data.buffer);
    expect([...one.value().data]).toEqual([1, 2, 3, 4]);
    expect([...two.value().data]).toEqual([1, 2, 3, 4, 5, 6]);
    expect([...other.value().data]).toEqual([1, 2, 9, 9]);
    expect([...two.shortened(1).extended(1, Float32Array.of(7, 7)).value().data]).toEqual([1, 2, 7, 7]);
    expect([...two.value().data]).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('copies nothing while the end is replaced and only what stays is read', () => {
    const typed = GrowingRows.empty([1]).extended(0, Float32Array.of(1, 2, 3));
    const memory = typed.value().data.buffer;
    const replaced = typed.extended(2, Float32Array.of(8));
    const again = replaced.extended(2, Float32Array.of(9, 10));
    expect(replaced.value(2).data.buffer).toBe(memory);
    expect(again.value(2).data.buffer).toBe(memory);
    const later = again.extended(4, Float32Array.of(11));
    const cut = again.shortened(3);
    expect([...again.value().data]).toEqual([1, 2, 9, 10]);
    expect([...later.value().data]).toEqual([1, 2, 9, 10, 11]);
    expect([...cut.extended(3, Float32Array.of(12)).value().data]).toEqual([1, 2, 9, 12]);
    expect([...cut.value().data]).toEqual([1, 2, 9]);
    expect([...replaced.value().data]).toEqual([1, 2, 8]);
    expect([...typed.value().data]).toEqual([1, 2, 3]);
  });
});

/** Mostly typing at the end, sometimes deleting, sometimes changing the middle. */
function typed(tokens: readonly number[], random: { next(): number; int(n: number): number }): number[] {
  const kind = random.next();
  if (kind < 0.6 && tokens.length < 14) return [...tokens, random.int(tinyConfig.dVocab)];
  if (kind < 0.8 && tokens.length > 2) return tokens.slice(0, -1);
  return tokens.with(random.int(tokens.length), random.int(tinyConfig.dVocab));
}

async function expectFresh(run: PromptRun, tokens: readonly number[]): Promise<void> {
  const fresh = await model.run({ tokens: [Int32Array.from(tokens)], capture: hooks, keepKv: true });
  run.residuals().forEach((residual, layer) => {
    expect(gap(residual, fresh.residuals[layer]!)).toBeLessThan(1e-5);
  });
  for (const name of hooks) expect(gap(run.hook(name), fresh.hooks.get(name)!), name).toBeLessThan(1e-5);
  expect(run.strongestAttention).toHaveLength(tokens.length);
}

function gap(a: Value, b: Value): number {
  expect(a.dims).toEqual(b.dims);
  return floatsOf(a).reduce((worst, x, i) => Math.max(worst, Math.abs(x - floatsOf(b)[i]!)), 0);
}
