/** What the engine answers about circuits of heads and MLPs, features and single components. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PromptPairs } from '../../../src/shared/patchingApi.ts';
import { topKHook } from '../../fixtures/tinyModel.ts';
import { contrast, openTinyEngine, prompt, type TinyEngine } from './tinyEngine.ts';

let tiny: TinyEngine;

beforeAll(async () => {
  tiny = await openTinyEngine(6);
});

afterAll(() => tiny?.close());

const pair: PromptPairs = {
  kind: 'pair',
  clean: prompt,
  corrupted: 'When he gave letter',
  answers: [contrast.answer],
  wrongAnswers: [contrast.wrong],
};

/** The pair with a corrupted prompt of as many tokens, whatever the tiny tokenizer makes of words. */
async function aligned(): Promise<PromptPairs> {
  const { engine, model } = tiny;
  for (const corrupted of [
    'When he gave words',
    'When she gave letter',
    'Then she gave words',
    'When she made words',
  ]) {
    const { equalLength, pairs } = await engine.comparePrompts({ model: model.id, clean: prompt, corrupted });
    if (equalLength && pairs.some(({ same }) => !same)) return { ...pair, corrupted } as PromptPairs;
  }
  throw new Error('No corrupted prompt is as long as the clean one.');
}

describe('edges', () => {
  it('come back as a circuit with its exact metric, and as a file', async () => {
    const { engine, model } = tiny;
    const pairs = await aligned();
    const request = {
      model: model.id,
      pairs,
      method: 'eap-ig',
      steps: 2,
      edges: { kind: 'top', count: 30 },
    } as const;
    const seen: string[] = [];
    const found = await engine.attributeEdges(request, { report: ({ what }) => seen.push(what) });
    expect(found.total).toBe(75);
    expect(found.edges.length).toBeGreaterThan(5);
    expect(found.edges.length).toBeLessThanOrEqual(30);
    const sizes = found.edges.map(({ score }) => Math.abs(score));
    expect(sizes).toEqual([...sizes].sort((a, b) => b - a));
    expect(found.faithfulness).toBeCloseTo(
      (found.kept - found.corrupted) / (found.clean - found.corrupted),
      6,
    );
    const analysis = await tiny.engine.analyze({
      model: model.id,
      text: prompt,
      saes: [],
      topFeatures: 0,
      topPredictions: 1,
      edits: [],
      contrast,
    });
    expect(found.clean).toBeCloseTo(analysis.contrast!, 4);
    expect(found.circuit.tokens.map(({ id }) => id)).toEqual(analysis.strip.tokens.map(({ id }) => id));
    const ids = new Set(found.circuit.nodes.map(({ id }) => id));
    for (const { source, target } of found.circuit.edges)
      expect(ids.has(source) && ids.has(target)).toBe(true);
    expect(Object.keys(JSON.parse(found.eapIg).edges)).toHaveLength(75);
    expect(found.nodes).toHaveLength(9);
    expect(found.circuit.provenance.model.hash).toBe(model.hash);
    expect(seen.length).toBeGreaterThan(0);
  });

  it('are run as a file has them', async () => {
    const { engine, model } = tiny;
    const pairs = await aligned();
    const edges = { kind: 'top', count: 20 } as const;
    const found = await engine.attributeEdges({ model: model.id, pairs, method: 'eap', edges });
    const path = join(model.path, 'graph.json');
    await writeFile(path, found.eapIg);
    const again = await engine.evaluateEdges({ model: model.id, pairs, path });
    expect(again.edges).toEqual(found.edges);
    expect(again.kept).toBeCloseTo(found.kept, 6);
    await writeFile(path, found.eapIg.replace('"n_heads":3', '"n_heads":4'));
    await expect(engine.evaluateEdges({ model: model.id, pairs, path })).rejects.toThrow('cfg.n_heads');
    const missing = join(model.path, 'nowhere.json');
    await expect(engine.evaluateEdges({ model: model.id, pairs, path: missing })).rejects.toThrow('no file');
  });

  it('are searched for one by one', async () => {
    const { engine, model } = tiny;
    const pairs = await aligned();
    const found = await engine.runAcdc({ model: model.id, pairs, metric: 'kl', threshold: 1e-5 });
    expect(found.search).toMatchObject({ stopped: false });
    expect(found.search!.tried).toBeGreaterThan(0);
    expect(found.edges.length).toBeGreaterThan(0);
    expect(found.circuit.method).toMatchObject({ name: 'acdc', parameters: { threshold: 1e-5, pairs: 1 } });
    expect(found.clean).toBeCloseTo(0, 6);
    const usual = await engine.runAcdc({ model: model.id, pairs, threshold: 1e-5 });
    expect(usual.metric).toBe('kl');
    expect(usual.edges).toEqual(found.edges);
  });

  it('are attributed over the pairs of a task file', async () => {
    const { engine, model } = tiny;
    const pairs = await aligned();
    if (pairs.kind !== 'pair') throw new Error('A pair was asked for.');
    const path = join(model.path, 'two.task.jsonl');
    const { clean, corrupted } = pairs;
    const answers = { answers: [contrast.answer], wrongAnswers: [contrast.wrong] };
    const rows = [
      { clean, corrupted, ...answers },
      { clean: corrupted, corrupted: clean, ...answers },
    ];
    await writeFile(path, `${rows.map((row) => JSON.stringify(row)).join('\n')}\n`);
    const task = { kind: 'task', task: { kind: 'file', path } } as const;
    const edges = { kind: 'greedy', count: 10 } as const;
    const found = await engine.attributeEdges({ model: model.id, pairs: task, method: 'eap', edges });
    expect(found.pairCount).toBe(2);
    // One pair is the other one turned round, so both ends are the same on average.
    expect(found.clean).toBeCloseTo(found.corrupted, 4);
    expect(found.circuit.method).toMatchObject({ name: 'eap', parameters: { kind: 'greedy', count: 10 } });
  });

  it.each([
    [{ edges: { kind: 'top', count: 0 } }, 'whole number'],
    [{ edges: { kind: 'threshold', least: Number.NaN } }, 'threshold'],
    [{ steps: 0 }, 'at least one'],
    [{ metric: 'accuracy' }, 'no gradient'],
    [{ pairs: { ...pair, corrupted: 'When' } }, 'pair of prompts'],
  ] as const)('are refused with a reason: %j', async (changes, reason) => {
    const { engine, model } = tiny;
    const request = {
      model: model.id,
      pairs: await aligned(),
      method: 'eap-ig',
      edges: { kind: 'top', count: 5 },
    } as const;
    await expect(engine.attributeEdges({ ...request, ...changes })).rejects.toThrow(reason);
  });
});

describe('direct attribution', () => {
  it('takes the hook of an SAE apart, and every component through the unembedding', async () => {
    const { engine } = tiny;
    const analysis = await tiny.analyze();
    const position = analysis.strip.tokens.length - 1;
    const found = await engine.featureAttribution({ run: analysis.run, sae: tiny.saeId(topKHook), contrast });
    const sum = found.features.reduce((all, { value }) => all + value, 0);
    expect(sum + found.bias + found.error).toBeCloseTo(found.total, 4);
    expect(found.features).toHaveLength(4);
    const lenses = await engine.componentLens({ run: analysis.run, position, top: 400 });
    const { components } = await engine.residualAttribution({ run: analysis.run, contrast });
    const named = lenses.find(({ component }) => component === 'MLP 1')!;
    const part = components.find(({ component }) => component === 'MLP 1')!;
    const logit = (text: string) => named.topLogits.find((token) => token.text === text)!.logit;
    expect(logit(contrast.answer) - logit(contrast.wrong)).toBeCloseTo(part.value, 4);
    await expect(engine.componentLens({ run: analysis.run, position: 99, top: 3 })).rejects.toThrow(
      'Position 99',
    );
  });
});
