/** Sweeps of a window on a made-up engine: planned, filled, stopped, kept over a reload, gone on with. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLog } from '../../../../src/host/log.ts';
import { sweepFolder } from '../../../../src/host/sweeps/sweepFolder.ts';
import { isComparable, progressOf, type SweepRecord } from '../../../../src/host/sweeps/sweepRecord.ts';
import { SweepSession } from '../../../../src/host/sweeps/sweepSession.ts';
import type { EngineApi } from '../../../../src/shared/engineApi.ts';
import { EngineError } from '../../../../src/shared/errors.ts';
import type { SweepQuestion } from '../../../../src/shared/sweepViewApi.ts';
import { createFakeEngine } from '../../../fixtures/fakeEngine.ts';
import { createFakePatching } from '../../../fixtures/fakePatching.ts';

const pairs = {
  kind: 'pair',
  clean: 'Mary',
  corrupted: 'John',
  answers: [' a'],
  wrongAnswers: [' b'],
} as const;
const question: SweepQuestion = {
  method: 'patch',
  pairs,
  target: { kind: 'sweep', name: 'attn_head_out_all_pos' },
  direction: 'denoising',
};
const model = { id: '/models/mini', name: 'mini', hash: 'abc', bos: 'none', precision: 'float32' } as const;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fovea-sweeps-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function openSession(change: Partial<EngineApi> = {}): SweepSession {
  const engine = { ...createFakeEngine(), ...createFakePatching(5), ...change };
  return new SweepSession({ engine, storage: sweepFolder(folder, silentLog), log: silentLog, keepEvery: 1 });
}

/** Runs until some cells are known, and stops there. */
async function runPartly(session: SweepSession): Promise<void> {
  const listening = session.onDidChange(() => {
    const { current } = session;
    if (session.isRunning && current && progressOf(current).done > 0) session.cancel();
  });
  await session.run(model);
  listening.dispose();
}

describe('SweepSession', () => {
  it('plans first: grid and estimate are there, and no cell', async () => {
    const session = openSession();
    expect(await session.plan(question, model)).toBe(true);
    const { current } = session;
    expect(current?.status).toBe('ready');
    expect(current?.estimate).toMatchObject({ cells: 32, seconds: 2 });
    expect(current?.cells.values).toHaveLength(32);
    expect(current?.cells.values.every(Number.isNaN)).toBe(true);
  });

  it('fills while it runs, and tells so', async () => {
    const session = openSession();
    await session.plan(question, model);
    const seen = new Set<number>();
    session.onDidChange(() => {
      if (session.current) seen.add(progressOf(session.current).done);
    });
    await session.run(model);
    expect([...seen].sort((a, b) => a - b)).toEqual([0, 8, 16, 24, 32]);
    expect(session.current?.status).toBe('done');
  });

  it('stops at once, and what is known stays', async () => {
    let cells = 0;
    const session = openSession();
    await session.plan(question, model);
    const listening = session.onDidChange(() => {
      const done = session.current ? progressOf(session.current).done : 0;
      if (done === 0 || !session.isRunning) return;
      session.cancel();
      // Not later, when the engine has come to it: now.
      expect(session.current?.status).toBe('stopped');
      cells = done;
    });
    await session.run(model);
    listening.dispose();
    expect(session.current && progressOf(session.current).done).toBe(cells);
    expect(cells).toBeGreaterThan(0);
    expect(cells).toBeLessThan(32);
  });

  it('goes on in a later window to the same grid as a run without a break', async () => {
    const whole = openSession();
    await whole.plan(question, model);
    await whole.run(model);
    const { cells } = whole.current ?? {};
    whole.remove(whole.current?.id ?? '');

    const first = openSession();
    await first.plan(question, model);
    await runPartly(first);
    const partly = first.current;
    first.dispose();

    const later = openSession();
    expect(later.current?.status).toBe('stopped');
    expect(later.current?.cells).toEqual(partly?.cells);
    expect(later.current?.question).toEqual(question);
    const asked: number[] = [];
    const { patchSweep } = createFakePatching();
    const resumed = openSession({
      patchSweep: (request, call) => {
        asked.push(request.known?.pairs.filter((count) => count > 0).length ?? 0);
        return patchSweep(request, call);
      },
    });
    await resumed.run(model);
    expect(asked).toEqual([progressOf(partly!).done]);
    expect(resumed.current?.status).toBe('done');
    expect(resumed.current?.cells).toEqual(cells);
  });

  it('keeps a sweep that a closing window interrupts', async () => {
    const session = openSession();
    await session.plan(question, model);
    const running = session.run(model);
    await new Promise((resolve) => setTimeout(resolve, 12));
    session.dispose();
    await running;
    const later = openSession();
    expect(later.current?.status).toBe('stopped');
    expect(later.current && progressOf(later.current).done).toBeGreaterThan(0);
  });

  it('does not go on with another model, and says which it was', async () => {
    const session = openSession();
    await session.plan(question, model);
    await runPartly(session);
    const known = session.current && progressOf(session.current).done;
    await session.run({ ...model, name: 'other', hash: 'def' });
    expect(session.current?.status).toBe('failed');
    expect(session.current?.failure).toMatchObject({
      message: expect.stringMatching(/model mini.*other is open/),
    });
    expect(session.current && progressOf(session.current).done).toBe(known);
  });

  it('keeps the cells of a sweep that fails, and can go on', async () => {
    let isBroken = true;
    const { patchSweep } = createFakePatching();
    const session = openSession({
      patchSweep: async (request, call) => {
        if (!isBroken) return patchSweep(request, call);
        const partial = { cells: [3], values: [0.5], raw: [0.5], pairs: [1] };
        call?.report?.({ done: 1, total: 32, what: 'Patching', partial });
        throw new EngineError('engine.stopped', { reason: 'SIGKILL' });
      },
    });
    await session.plan(question, model);
    await session.run(model);
    expect(session.current).toMatchObject({ status: 'failed', failure: { code: 'engine.stopped' } });
    expect(session.current?.cells.values[3]).toBe(0.5);
    isBroken = false;
    await session.run(model);
    expect(session.current?.status).toBe('done');
    expect(session.current?.cells.raw[3]).toBe(0.5);
  });

  it('leaves no trace of a question that cannot be asked', async () => {
    const session = openSession({
      estimateSweep: async () => {
        throw new EngineError('request.invalid', { what: 'The pair', reason: 'it is none' });
      },
    });
    await expect(session.plan(question, model)).rejects.toMatchObject({ code: 'request.invalid' });
    expect(session.all).toEqual([]);
    expect(session.current).toBeUndefined();
  });

  it('names the features that an estimate chose, so that going on means the same ones', async () => {
    const { estimateSweep } = createFakePatching();
    const session = openSession({
      estimateSweep: async (request, call) => {
        const planned = await estimateSweep(request, call);
        const axes = [{ name: 'feature', labels: ['7', '2', 'error'] }];
        return { ...planned, outline: { ...planned.outline, axes } };
      },
    });
    const target = { kind: 'features', sae: 's', features: { strongest: 2 }, by: 'all' } as const;
    await session.plan({ ...question, target }, model);
    expect(session.current?.question).toMatchObject({ target: { features: [7, 2], error: true } });
    expect(session.current?.cells.values).toHaveLength(3);
  });

  it('asks ablations and paths of the engine with what is known', async () => {
    const seen: string[] = [];
    const { ablateSweep, pathPatch } = createFakePatching();
    const session = openSession({
      ablateSweep: (request, call) => {
        seen.push(`ablate ${request.ablation.kind} ${'method' in request}`);
        return ablateSweep(request, call);
      },
      pathPatch: (request, call) => {
        seen.push(`path ${request.receivers.length} ${'method' in request}`);
        return pathPatch(request, call);
      },
    });
    const target = { kind: 'sweep', name: 'resid_pre' } as const;
    await session.plan({ method: 'ablate', pairs, target, ablation: { kind: 'zero' } }, model);
    await session.run(model);
    await session.plan({ method: 'path', pairs, receivers: [] }, model);
    await session.run(model);
    expect(seen).toEqual(['ablate zero false', 'path 0 false']);
    expect(session.all.map(({ status }) => status)).toEqual(['done', 'done']);
  });

  it('does not go on when prompts begin otherwise, or an SAE is another, and keeps what is known', async () => {
    const session = openSession();
    await session.plan(question, model);
    await runPartly(session);
    const known = session.current!.cells.raw.slice();
    await session.run({ ...model, bos: 'prepended' });
    expect(session.current?.status).toBe('failed');
    expect(session.current?.failure).toMatchObject({
      message: expect.stringMatching(/without a beginning-of-sequence token.*run the sweep again/),
    });
    expect(session.current?.cells.raw).toEqual(known);
    session.remove(session.current!.id);

    const { estimateSweep } = createFakePatching();
    const withSae = openSession({
      estimateSweep: async (request, call) => {
        const planned = await estimateSweep(request, call);
        const provenance = {
          ...planned.outline.provenance,
          saes: [{ hook: 'blocks.1.hook_resid_pre', hash: 's' }],
        };
        return { ...planned, outline: { ...planned.outline, provenance } };
      },
    });
    await withSae.plan(question, model);
    await withSae.run({ ...model, saes: [{ hash: 'other' }] });
    expect(withSae.current?.failure).toMatchObject({
      message: expect.stringMatching(/SAE at blocks\.1/),
    });
    await withSae.run({ ...model, saes: [{ hash: 's' }] });
    expect(withSae.current?.status).toBe('done');
  });

  it('hands the hash of the prompts over a reload to the engine, and takes over the outline that comes back', async () => {
    const { estimateSweep, patchSweep } = createFakePatching();
    const hashes: unknown[] = [];
    const change: Partial<EngineApi> = {
      estimateSweep: async (request, call) => {
        const planned = await estimateSweep(request, call);
        return { ...planned, outline: { ...planned.outline, pairsHash: 'p1' } };
      },
      patchSweep: async (request, call) => {
        hashes.push(request.known?.pairsHash);
        return { ...(await patchSweep(request, call)), clean: 7, pairsHash: 'p1' };
      },
    };
    const first = openSession(change);
    await first.plan(question, model);
    first.dispose();
    const later = openSession(change);
    await later.run(model);
    expect(hashes).toEqual(['p1']);
    expect(later.current?.outline).toMatchObject({ clean: 7, pairsHash: 'p1' });
    expect(later.current?.outline).not.toHaveProperty('values');
  });

  it('does not put cells of a grid with other rows and columns into its own', async () => {
    const { patchSweep } = createFakePatching();
    const session = openSession({
      patchSweep: async (request, call) => {
        const grid = await patchSweep(request, call);
        const [layer, head] = grid.axes;
        return { ...grid, axes: [{ ...layer!, labels: layer!.labels.slice(1) }, head!] };
      },
    });
    await session.plan(question, model);
    await session.run(model);
    expect(session.current?.status).toBe('failed');
    expect(session.current?.outline?.axes[0]?.labels).toHaveLength(4);
  });

  it('runs on while another sweep is shown, and its cells stay its own', async () => {
    const session = openSession();
    await session.plan(question, model);
    await session.run(model);
    const other = session.current!;
    await session.plan({ ...question, direction: 'noising' }, model);
    const { id } = session.current!;
    const running = session.run(model);
    session.choose(other.id);
    expect(session.atWork?.id).toBe(id);
    expect(session.current?.status).toBe('done');
    await running;
    expect(session.current?.id).toBe(other.id);
    expect(session.all.find((record) => record.id === id)).toMatchObject({ status: 'done' });
    expect(session.atWork).toBeUndefined();
  });

  it('stops the sweep that runs, also when another one is shown', async () => {
    const session = openSession();
    await session.plan(question, model);
    const first = session.current!.id;
    await session.plan(question, model);
    const { id } = session.current!;
    const running = session.run(model);
    session.choose(first);
    session.cancel();
    await running;
    expect(session.all.find((record) => record.id === id)?.status).toBe('stopped');
    expect(session.current).toMatchObject({ id: first, status: 'ready' });
  });

  it('compares sweeps of one scale, metric, model and prompts only', async () => {
    const session = openSession();
    await session.plan(question, model);
    await session.plan({ ...question, direction: 'noising' }, model);
    const [one, noising] = session.all as [SweepRecord, SweepRecord];
    expect(isComparable(one, noising)).toBe(true);
    const { outline, question: asked } = noising;
    expect(
      isComparable(one, { ...noising, question: { ...asked, pairs: { ...pairs, clean: 'Anna' } } }),
    ).toBe(false);
    expect(isComparable(one, { ...noising, outline: { ...outline!, metric: 'probability' } })).toBe(false);
    expect(isComparable(one, { ...noising, model: { name: 'mini', hash: 'def' } })).toBe(false);
    const target = { kind: 'sweep', name: 'attn_head_out_all_pos' } as const;
    const ablated: SweepQuestion = { method: 'ablate', pairs, target, ablation: { kind: 'zero' } };
    expect(isComparable(one, { ...noising, question: ablated })).toBe(false);
    const hashed = (pairsHash: string, record: SweepRecord): SweepRecord => ({
      ...record,
      outline: { ...record.outline!, pairsHash },
    });
    expect(isComparable(hashed('p1', one), hashed('p2', noising))).toBe(false);
  });

  it('compares with a sweep of the same cells only', async () => {
    const session = openSession();
    await session.plan({ ...question, target: { kind: 'sweep', name: 'resid_pre' } }, model);
    const other = session.current?.id;
    await session.plan(question, model);
    const same = session.current?.id;
    await session.plan({ ...question, direction: 'noising' }, model);
    session.compare(other);
    expect(session.other).toBeUndefined();
    session.compare(same);
    expect(session.other?.id).toBe(same);
    session.choose(same ?? '');
    expect(session.other).toBeUndefined();
  });

  it('keeps the newest twenty, and forgets one that is removed', async () => {
    const session = openSession();
    for (let i = 0; i < 22; i++) await session.plan(question, model);
    expect(session.all).toHaveLength(20);
    expect(readdirSync(folder)).toHaveLength(20);
    const [first] = session.all;
    session.choose(first?.id ?? '');
    expect(session.current).toBe(first);
    session.remove(first?.id ?? '');
    expect(readdirSync(folder)).toHaveLength(19);
    expect(openSession().all.map(({ id }) => id)).toEqual(session.all.map(({ id }) => id));
  });

  it('is not disturbed by files that are no sweeps, or cut short', async () => {
    const session = openSession();
    await session.plan(question, model);
    const [name = ''] = readdirSync(folder);
    writeFileSync(join(folder, 'other.json'), '{"version":1}');
    writeFileSync(join(folder, 'broken.json'), '{"version":1,');
    expect(openSession().all).toHaveLength(1);
    writeFileSync(join(folder, name), '{}');
    expect(openSession().all).toHaveLength(0);
  });

  it('takes the finished sweeps of an experiment, shows the first, and has them again after a reload', async () => {
    const session = openSession();
    await session.plan(question, model);
    const planned = session.current!.id;
    const engine = { ...createFakeEngine(), ...createFakePatching(5) };
    const grid = await engine.patchSweep({ ...question, model: model.id });
    const noising: SweepQuestion = { ...question, direction: 'noising' };
    session.addFinished('/w/a.fovea.json', model, [
      { question, grid },
      { question: noising, grid },
    ]);
    expect(session.current).toMatchObject({ status: 'done', question, model: { name: 'mini', hash: 'abc' } });
    expect(session.current?.outline?.axes).toEqual(grid.axes);
    expect(session.current?.cells.values).toEqual(Float32Array.from(grid.values));
    expect(progressOf(session.current!)).toEqual({ done: 32, total: 32 });
    expect(session.all.map(({ id }) => id)[0]).toBe(planned);

    const reloaded = openSession();
    const kept = reloaded.ofExperiment('/w/a.fovea.json');
    expect(kept.map((record) => record.question)).toEqual([question, noising]);
    expect(kept[0]!.places.clean).toBe('file:///w/a.fovea.json');
    expect(reloaded.ofExperiment('/w/b.fovea.json')).toEqual([]);
    reloaded.addFinished('/w/a.fovea.json', model, [{ question: noising, grid }]);
    expect(reloaded.ofExperiment('/w/a.fovea.json')).toHaveLength(1);
    expect(reloaded.all).toHaveLength(2);
  });

  it('does not take a running sweep out of view for an experiment’s', async () => {
    const session = openSession();
    await session.plan(question, model);
    const grid = await createFakePatching(5).patchSweep({ ...question, model: model.id });
    const running = session.run(model);
    session.addFinished('/w/a.fovea.json', model, [{ question, grid }]);
    expect(session.current?.status).toBe('running');
    await running;
    expect(session.current).toMatchObject({ status: 'done', places: {} });
    expect(session.current?.places.experiment).toBeUndefined();
    expect(session.ofExperiment('/w/a.fovea.json')).toHaveLength(1);
  });
});
