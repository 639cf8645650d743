/** Sweeps as they are asked of the engine: text in, grids out, cells handed over on the way. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Progress } from '../../../src/shared/domain.ts';
import { isEngineError } from '../../../src/shared/errors.ts';
import type { PatchSweepRequest, PromptPairs, SweepGrid } from '../../../src/shared/patchingApi.ts';
import { reluHook } from '../../fixtures/tinyModel.ts';
import { contrast, openTinyEngine, prompt, type TinyEngine } from './tinyEngine.ts';

const text = `${prompt} letter`;
const other = 'When she gave letter letter';
const pair: PromptPairs = {
  kind: 'pair',
  clean: text,
  corrupted: other,
  answers: [contrast.answer],
  wrongAnswers: [contrast.wrong],
};
let tiny: TinyEngine;

beforeAll(async () => {
  tiny = await openTinyEngine(4);
});

afterAll(() => tiny?.close());

function sweep(changes: Partial<PatchSweepRequest> = {}): PatchSweepRequest {
  return { model: tiny.model.id, pairs: pair, target: { kind: 'sweep', name: 'resid_pre' }, ...changes };
}

describe('patchSweep', () => {
  it('restores the clean answer where all that differs is patched, and nothing where nothing differs', async () => {
    const grid = await tiny.engine.patchSweep(sweep());
    const [layers, positions] = grid.axes;
    expect(layers).toEqual({ name: 'layer', labels: ['0', '1'] });
    expect(positions!.labels).toHaveLength(grid.tokens!.clean.length);
    const width = positions!.labels.length;
    const { clean, corrupted } = grid.tokens!;
    const differing = clean.flatMap((text, i) => (text === corrupted[i] ? [] : [i]));
    expect(differing).toHaveLength(1);
    // The stream before the first block is the embedding: only the differing token's says anything.
    for (let position = 0; position < width; position++) {
      expect(grid.values[position]).toBeCloseTo(position === differing[0] ? 1 : 0, 5);
    }
    expect(grid.clean).not.toBeCloseTo(grid.corrupted, 2);
    expect([...grid.pairs]).toEqual(Array.from({ length: 2 * width }, () => 1));
    expect(grid.provenance.model.name).toBe(tiny.model.name);
  });

  it('knows first what cannot change, and counts the cells that need a run as the estimate does', async () => {
    const target = { kind: 'sweep', name: 'attn_head_pattern_dest_src_pos' } as const;
    const { cells, outline, runs } = await tiny.engine.estimateSweep(sweep({ target }));
    const { clean, corrupted } = outline.tokens!;
    const first = clean.findIndex((token, i) => token !== corrupted[i]);
    const reports: { done: number; total: number; cells: readonly number[] }[] = [];
    const report = (progress: Progress): void => {
      const { done, total, partial } = progress;
      if (partial) reports.push({ done, total, cells: partial.cells });
    };
    const grid = await tiny.engine.patchSweep(sweep({ target }), { report });
    const width = clean.length;
    // Before the first token that differs all is alike, and a token never attends to a later one.
    const isMoving = (cell: number): boolean => {
      const [to, from] = [Math.floor(cell / width) % width, cell % width];
      return to >= first && from <= to;
    };
    const moving = Array.from({ length: cells }, (_, cell) => cell).filter(isMoving);
    expect(runs).toBe(moving.length);
    expect(reports.map(({ total }) => total)).toEqual(reports.map(() => runs));
    expect(reports[0]).toMatchObject({ done: 0 });
    expect(reports[0]!.cells).toHaveLength(cells - runs);
    expect(reports[0]!.cells.some(isMoving)).toBe(false);
    expect(reports.at(-1)!.done).toBe(runs);
    for (const cell of reports[0]!.cells) expect(grid.values[cell]).toBeCloseTo(0, 6);
  });

  it('hands over every cell with the progress, and does not run known cells again', async () => {
    const seen = new Map<number, number>();
    const report = ({
      partial,
    }: {
      partial?: { cells: readonly number[]; values: readonly number[] };
    }): void => {
      partial?.cells.forEach((cell, i) => {
        seen.set(cell, partial.values[i]!);
      });
    };
    const grid = await tiny.engine.patchSweep(sweep(), { report });
    expect(seen.size).toBe(grid.values.length);
    for (const [cell, value] of seen) expect(value).toBeCloseTo(grid.values[cell]!, 6);
    seen.clear();
    const known = { raw: grid.raw.slice(), pairs: grid.pairs.slice() };
    known.pairs[3] = 0;
    known.raw[0] = 123;
    const again = await tiny.engine.patchSweep(sweep({ known }), { report });
    expect([...seen.keys()]).toEqual([3]);
    expect(again.raw[0]).toBe(123);
    expect(again.values[3]).toBeCloseTo(grid.values[3]!, 6);
  });

  it('refuses what is known of other pairs, another metric or another grid', async () => {
    const grid = await tiny.engine.patchSweep(sweep());
    const known = { raw: grid.raw, pairs: grid.pairs, pairsHash: grid.pairsHash };
    expect(grid.pairsHash).toMatch(/^[0-9a-f]{64}$/);
    const { outline } = await tiny.engine.estimateSweep(sweep());
    expect(outline.pairsHash).toBe(grid.pairsHash);
    expect((await tiny.engine.patchSweep(sweep({ known }))).raw).toEqual(grid.raw);
    const changed = { ...pair, answers: [contrast.wrong], wrongAnswers: [contrast.answer] };
    const refusals = [
      tiny.engine.patchSweep(sweep({ known, pairs: changed })),
      tiny.engine.patchSweep(sweep({ known, metric: 'kl' })),
      tiny.engine.ablateSweep({ ...sweep({ known, pairs: changed }), ablation: { kind: 'zero' } }),
      tiny.engine.pathPatch({ model: tiny.model.id, pairs: changed, receivers: [], known }),
    ];
    for (const refused of refusals) {
      await expect(refused).rejects.toThrow(/have changed since; start the sweep anew/);
    }
    const short = { raw: grid.raw.slice(1), pairs: grid.pairs.slice(1) };
    await expect(tiny.engine.patchSweep(sweep({ known: short }))).rejects.toThrow(/cells, and the sweep \d+/);
  });

  it('patches the features of an SAE that differ most, and its error', async () => {
    const target = {
      kind: 'features',
      sae: tiny.saeId(reluHook),
      features: { strongest: 4 },
      error: true,
      by: 'all',
    } as const;
    const grid = await tiny.engine.patchSweep(sweep({ target, direction: 'noising' }));
    expect(grid.axes[0]!.labels).toHaveLength(5);
    expect(grid.axes[0]!.labels.at(-1)).toBe('error');
    expect(grid.provenance.saes.map(({ hook }) => hook)).toEqual([reluHook]);
    expect(grid.values.some((value) => Math.abs(value - 1) > 1e-3)).toBe(true);
  });

  it('refuses what cannot be patched, saying why', async () => {
    const reasonOf = (request: Promise<unknown>) => expect(request).rejects;
    const longer = { ...pair, corrupted: `${other} words` };
    await reasonOf(tiny.engine.patchSweep(sweep({ pairs: longer }))).toThrow(/pair of prompts.*tokens/);
    await reasonOf(tiny.engine.patchSweep(sweep({ pairs: { ...pair, answers: [' words letter'] } }))).toThrow(
      /pair of prompts/,
    );
    await reasonOf(tiny.engine.patchSweep(sweep({ pairs: { ...pair, corrupted: text } }))).toThrow(/same/);
    const aborted = AbortSignal.abort();
    await reasonOf(tiny.engine.patchSweep(sweep(), { signal: aborted })).toSatisfy((error) =>
      isEngineError(error, 'cancelled'),
    );
  });
});

describe('ablateSweep and pathPatch', () => {
  it('tell relative changes of the clean metric', async () => {
    const ablated = await tiny.engine.ablateSweep({
      ...sweep(),
      target: { kind: 'sweep', name: 'attn_head_out_all_pos' },
      ablation: { kind: 'zero' },
    });
    expectChanges(ablated);
    const paths = await tiny.engine.pathPatch({
      model: tiny.model.id,
      pairs: pair,
      receivers: [],
      mlps: true,
    });
    expect(paths.axes).toEqual([
      { name: 'sender', labels: ['0.0', '0.1', '0.2', '1.0', '1.1', '1.2', 'mlp 0', 'mlp 1'] },
    ]);
    expectChanges(paths);
  });

  it('and an estimate counts the cells that can change something', async () => {
    const estimate = await tiny.engine.estimateSweep(sweep());
    const { tokens } = await tiny.engine.patchSweep(sweep());
    const first = tokens!.clean.findIndex((text, i) => text !== tokens!.corrupted[i]);
    expect(estimate.cells).toBe(2 * tokens!.clean.length);
    expect(estimate.runs).toBe(2 * (tokens!.clean.length - first));
  });

  it('and an estimate lays out the grid that the sweep will fill, whichever kind it is', async () => {
    const { model } = tiny;
    const target = { kind: 'sweep', name: 'attn_head_out_all_pos' } as const;
    const ablation = { model: model.id, pairs: pair, target, ablation: { kind: 'zero' } } as const;
    const paths = { model: model.id, pairs: pair, receivers: [], mlps: true } as const;
    const asked = [
      [sweep({ target }), await tiny.engine.patchSweep(sweep({ target }))],
      [ablation, await tiny.engine.ablateSweep(ablation)],
      [paths, await tiny.engine.pathPatch(paths)],
    ] as const;
    for (const [request, { values, raw: _, pairs: __, ...outline }] of asked) {
      const estimate = await tiny.engine.estimateSweep(request);
      expect(estimate.outline).toEqual(outline);
      expect(estimate.cells).toBe(values.length);
      expect(estimate.runs).toBe(values.length);
      expect(estimate.memory).toBeGreaterThan(0);
      expect(estimate.seconds).toBeGreaterThan(0);
    }
  });

  it('and paths to queries count only the senders below them', async () => {
    const receivers = [{ layer: 1, head: 0, input: 'q' }] as const;
    const request = { model: tiny.model.id, pairs: pair, receivers };
    const estimate = await tiny.engine.estimateSweep(request);
    expect([estimate.cells, estimate.runs]).toEqual([6, 3]);
    const wrong = { ...request, receivers: [{ layer: 7, head: 0, input: 'q' }] } as const;
    await expect(tiny.engine.estimateSweep(wrong)).rejects.toMatchObject({ code: 'request.invalid' });
  });

  it('tell what all pairs of a task have in common at a position', async () => {
    const lines = [
      ['When she gave letter', 'When she gave words', { VERB: 'gave' }],
      ['When she gave words', 'When she gave letter', { VERB: ['gave', 1] }],
    ].map(([clean, corrupted, roles]) =>
      JSON.stringify({ clean, corrupted, answer: contrast.answer, wrongAnswer: contrast.wrong, roles }),
    );
    const folder = mkdtempSync(join(tmpdir(), 'fovea-common-'));
    const path = join(folder, 'both.task.jsonl');
    writeFileSync(path, lines.join('\n'));
    try {
      const task = { kind: 'task', task: { kind: 'file', path } } as const;
      const { outline } = await tiny.engine.estimateSweep(sweep({ pairs: task }));
      expect(outline.tokens).toBeUndefined();
      expect(outline.pairCount).toBe(2);
      const { tokens, roles } = outline.common!;
      expect(tokens[0]).toBe('When');
      expect(tokens.filter((text) => text === '')).toHaveLength(1);
      expect(roles[tokens.indexOf(' gave')]).toBe('VERB');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  function expectChanges({ values, raw, clean }: SweepGrid): void {
    raw.forEach((value, i) => {
      expect(values[i]).toBeCloseTo((value - clean) / clean, 5);
    });
    expect(values.some((value) => Math.abs(value) > 1e-3)).toBe(true);
  }
});
