/** A run that was stopped goes on in another process: with the bytes of one that was not, and never with stale parts. */
import { mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Engine } from '../../../../src/engine/engine.ts';
import type { CallOptions } from '../../../../src/shared/callOptions.ts';
import type { Progress } from '../../../../src/shared/domain.ts';
import type { EngineApi } from '../../../../src/shared/engineApi.ts';
import type { Experiment } from '../../../../src/shared/experiment/experiment.ts';
import { KeptRun, type KeptText } from '../../../../src/shared/experiment/keptRun.ts';
import { resultFiles } from '../../../../src/shared/experiment/resultFiles.ts';
import { type ExperimentPlaces, runExperiment } from '../../../../src/shared/experiment/runExperiment.ts';

let engine: Engine;
let folder: string;
/** Methods of the engine that were called, in their order. */
const calls: string[] = [];
let places: ExperimentPlaces;

const clean = 'When Mary and John went to the store, John gave a drink to';
const corrupted = 'When Mary and John went to the store, Mary gave a drink to';
const pairs = { kind: 'pair', clean, corrupted, answers: [' Mary'], wrongAnswers: [' John'] } as const;

beforeAll(async () => {
  engine = new Engine({ threads: 1 });
  folder = await realpath(await mkdtemp(join(tmpdir(), 'fovea-kept-')));
  places = {
    engine: watched(engine),
    embedded: await realpath('models/mini'),
    path: (relative) => realpath(resolve(folder, relative)),
    readText: (path) => readFile(path, 'utf8'),
  };
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Notes which methods are called. */
function watched(api: EngineApi): EngineApi {
  return new Proxy(api, {
    get(target, name: keyof EngineApi) {
      const method = target[name] as (...words: unknown[]) => unknown;
      return (...words: unknown[]) => {
        calls.push(name);
        return method.apply(target, words);
      };
    },
  });
}

/** A file in memory. */
function memory(): KeptText & { content: string | undefined } {
  return {
    content: undefined,
    read() {
      return this.content;
    },
    write(text) {
      this.content = text;
    },
    append(text) {
      this.content = (this.content ?? '') + text;
    },
    remove() {
      this.content = undefined;
    },
  };
}

/** Stops a run once `isEnough` says so. */
async function stopped(
  experiment: Experiment,
  kept: KeptRun,
  isEnough: (progress: Progress) => boolean,
): Promise<void> {
  const controller = new AbortController();
  const call: CallOptions = {
    signal: controller.signal,
    report: (progress) => void (isEnough(progress) && controller.abort()),
  };
  await expect(runExperiment(experiment, { ...places, kept }, call)).rejects.toThrow('Cancelled');
}

async function textsOf(experiment: Experiment, kept?: KeptRun, call?: CallOptions) {
  const outcome = await runExperiment(experiment, { ...places, kept }, call);
  return resultFiles(outcome, join(folder, 'x.fovea.json'), async () => undefined);
}

const several: Experiment = {
  pairs,
  seed: 3,
  method: [
    { kind: 'attributeEdges', gradients: 'eap', keep: { top: 20 } },
    { kind: 'patchFeatures', sae: 'blocks.1.hook_resid_post', features: { strongest: 3 }, error: true },
    { kind: 'ablate', sweep: 'attn_head_out_all_pos', value: 'zero' },
    { kind: 'patch', sweep: 'attn_head_out_by_pos' },
    { kind: 'directLogitAttribution' },
  ],
};

describe('a run that was stopped', () => {
  it('goes on in another process with the bytes of one that was not, and asks for nothing twice', async () => {
    const text = memory();
    const first = new KeptRun(text);
    await stopped(several, first, ({ what, partial }) => what.startsWith('4/5') && partial !== undefined);
    expect(first.progressOf(several)).toEqual({ done: 3, total: 5, isUnderWay: true });
    // A process that was killed while it wrote.
    const known = new Set<number>();
    for (const line of text.content!.split('\n').slice(1, -1)) {
      const { cells, outcome } = JSON.parse(line);
      if (outcome) known.clear();
      for (const cell of cells?.cells ?? []) known.add(cell);
    }
    expect(known.size).toBeGreaterThan(0);
    text.content += '{"key": "half a li';
    const again = new KeptRun(text);
    expect(text.content!.endsWith('}\n')).toBe(true);
    calls.length = 0;
    const asked = new Set<number>();
    const gone = await textsOf(several, again, {
      report: ({ partial }) => {
        for (const cell of partial?.cells ?? []) asked.add(cell);
      },
    });
    expect(calls).not.toContain('attributeEdges');
    expect(calls).not.toContain('ablateSweep');
    expect(calls.filter((name) => name === 'patchSweep')).toHaveLength(1);
    expect([...asked].filter((cell) => known.has(cell))).toEqual([]);
    expect(gone).toEqual(await textsOf(several));
  });

  it('gives back the grids of finished sweeps to the bit', async () => {
    const text = memory();
    const sweeps: Experiment = { ...several, method: (several.method as readonly []).slice(1, 4) };
    const { methods } = await runExperiment(sweeps, { ...places, kept: new KeptRun(text) });
    const recalled = await runExperiment(sweeps, { ...places, kept: new KeptRun(text) });
    expect(recalled.methods).toEqual(methods);
  });

  it('goes on with resampled ablations over a task, whose prompts are drawn anew', async () => {
    const text = memory();
    const experiment: Experiment = {
      pairs: { kind: 'generator', name: 'ioi', count: 6 },
      method: { kind: 'ablate', sweep: 'attn_head_out_all_pos', value: 'resample' },
    };
    await stopped(experiment, new KeptRun(text), ({ partial }) => partial !== undefined);
    expect(text.content).toContain('"cells":[');
    expect(await textsOf(experiment, new KeptRun(text))).toEqual(await textsOf(experiment));
  });

  it('goes on with a study from the stages that are finished', async () => {
    const text = memory();
    const experiment: Experiment = {
      pairs: { kind: 'generator', name: 'ioi', count: 40 },
      method: { kind: 'indirectObjectStudy', pathPairs: 4, copyPairs: 4, circuit: false },
    };
    const kept = new KeptRun(text, { studyPause: 1e9 });
    await stopped(experiment, kept, ({ study }) => (study?.finished.length ?? 0) >= 2);
    const finished: number[] = [];
    const gone = await textsOf(experiment, new KeptRun(text), {
      report: ({ study }) => void (study && finished.push(study.finished.length)),
    });
    expect(finished[0]).toBeGreaterThanOrEqual(2);
    expect(gone).toEqual(await textsOf(experiment));
  }, 60_000);
});

describe('parts of another run', () => {
  const sweep = { kind: 'patch', sweep: 'attn_head_out_all_pos' } as const;
  const task = { kind: 'file', path: 'changing.task.jsonl' } as const;
  const put = (wrongAnswer: string) =>
    writeFile(
      join(folder, task.path),
      `${JSON.stringify({ clean, corrupted, answer: ' Mary', wrongAnswer })}\n`,
    );

  /** Sweeps that are run for the second experiment, after the first was run to its end. */
  async function sweepsAfter(first: Experiment, second: Experiment, change = async () => {}) {
    const kept = new KeptRun(memory());
    await textsOf(first, kept);
    await change();
    calls.length = 0;
    const texts = await textsOf(second, kept);
    const count = calls.filter((name) => name.endsWith('Sweep')).length;
    expect(texts).toEqual(await textsOf(second));
    return count;
  }

  it('are taken over by the same method on the same inputs only', async () => {
    const base: Experiment = { pairs, method: sweep };
    expect(await sweepsAfter(base, { ...base, name: 'another name' })).toBe(0);
    expect(await sweepsAfter(base, { ...base, seed: 2 })).toBe(1);
    expect(await sweepsAfter(base, { ...base, metric: 'probability' })).toBe(1);
    expect(await sweepsAfter(base, { ...base, bos: 'always' })).toBe(1);
    expect(await sweepsAfter(base, { ...base, pairs: { ...pairs, wrongAnswers: [' the'] } })).toBe(1);
    expect(await sweepsAfter(base, { ...base, method: { ...sweep, layers: [0] } })).toBe(1);
  });

  it('are left aside when the task’s file holds other pairs by now', async () => {
    await put(' John');
    const base: Experiment = { pairs: task, method: sweep };
    expect(await sweepsAfter(base, base)).toBe(0);
    expect(await sweepsAfter(base, base, () => put(' the'))).toBe(1);
  });

  it('are not kept when the file changed while they were found', async () => {
    await put(' John');
    const kept = new KeptRun(memory());
    const experiment: Experiment = { pairs: task, method: sweep };
    let reads = 0;
    const readText = async (path: string) => `${await places.readText(path)}${'\n'.repeat(reads++)}`;
    const changing = { ...places, kept, readText };
    await runExperiment(experiment, changing);
    expect(kept.progressOf(experiment)).toMatchObject({ done: 0, isUnderWay: true });
  });

  it('are left aside when an SAE is another one, or read otherwise', async () => {
    const method = {
      kind: 'ablateFeatures',
      sae: 'blocks.1.hook_resid_post',
      features: [1, 2],
      value: 'zero',
    } as const;
    const kept = new KeptRun(memory());
    await runExperiment({ pairs, method }, { ...places, kept });
    const runs = async (change: object): Promise<number> => {
      calls.length = 0;
      const other = new Proxy(places.engine, {
        get: (target, name: keyof EngineApi) =>
          name === 'listSaes'
            ? async (...words: Parameters<EngineApi['listSaes']>) =>
                (await target.listSaes(...words)).map((sae) => ({ ...sae, ...change }))
            : target[name],
      });
      await runExperiment({ pairs, method }, { ...places, engine: other, kept });
      return calls.filter((name) => name === 'ablateSweep').length;
    };
    expect(await runs({})).toBe(0);
    expect(await runs({ hash: 'another' })).toBe(1);
    expect(await runs({ convention: { inputScale: 2 } })).toBe(1);
  });
});

describe('the kept text', () => {
  const place = { key: 'k', ask: 'a' };
  const cells = (cell: number) => ({ cells: [cell], raw: [0.5], values: [1], pairs: [1], pairsHash: 'h' });

  it('stays within its bound, also when everything is written anew', () => {
    const text = memory();
    const kept = new KeptRun(text, { length: 1000 });
    for (let i = 0; i < 200; i++) {
      kept.addCells(place, cells(i % 7));
      expect(text.content!.length).toBeLessThanOrEqual(1000);
    }
    expect(new KeptRun(text).sweep(place)!.cells.size).toBe(7);
    kept.finish(place, { numbers: { much: 'x'.repeat(2000) } });
    expect(text.content!.length).toBeLessThanOrEqual(1000);
    kept.addCells({ key: 'other', ask: 'b' }, cells(1));
    expect(new KeptRun(text).sweep({ key: 'other', ask: 'b' })!.cells.size).toBe(1);
  });

  it('is gone once it is cleared, and refused when it is something else', () => {
    const text = memory();
    const kept = new KeptRun(text);
    kept.addCells(place, cells(1));
    kept.clear();
    expect(text.content).toBeUndefined();
    expect(kept.sweep(place)).toBeUndefined();
    text.content = '{"results": []}';
    expect(() => new KeptRun(text)).toThrow(/no run that could go on/);
    expect(text.content).toBe('{"results": []}');
  });
});
