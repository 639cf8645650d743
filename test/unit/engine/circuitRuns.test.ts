/** What a slider shares: the second test of a task's circuits runs only the circuits, and finds what the first would. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { CircuitRuns } from '../../../src/engine/circuitRuns.ts';
import { LoadedModel } from '../../../src/engine/loadedModel.ts';
import { fullGraph } from '../../../src/engine/method/componentGraph.ts';
import { loadTask } from '../../../src/engine/task/loadTask.ts';
import type { TokenTask } from '../../../src/engine/task/task.ts';
import { miniFolder } from '../../fixtures/tinyModel.ts';

let model: LoadedModel;
let task: TokenTask;
let runs: CircuitRuns;

beforeAll(async () => {
  model = await LoadedModel.open(miniFolder);
  const source = { kind: 'generator', name: 'ioi', count: 12, seed: 1 } as const;
  ({ task } = await loadTask(source, model));
  runs = new CircuitRuns();
});
afterAll(() => model?.release());

describe('runs of a task', () => {
  it('of edge circuits are made once, and made anew for other pairs', async () => {
    const run = vi.spyOn(model.transformer, 'run');
    const first = await runs.ofEdges(model, task, 'logitDifference');
    const made = run.mock.calls.length;
    expect(made).toBeGreaterThan(0);
    const half = fullGraph(model.transformer.config).inGraph.map((isIn, i) => (i % 3 === 0 ? 0 : isIn));
    const found = await first.evaluate([half]);
    await first.release();
    const calls = run.mock.calls.length;
    const again = await runs.ofEdges(model, task, 'logitDifference');
    expect(run.mock.calls.length).toBe(calls);
    expect(again.ends()).toEqual(first.ends());
    expect(await again.evaluate([half])).toEqual(found);
    await again.release();
    const fewer = await runs.ofEdges(model, { ...task, pairs: task.pairs.slice(1) }, 'logitDifference');
    expect(run.mock.calls.length).toBeGreaterThan(calls);
    await fewer.release();
    run.mockRestore();
  });

  it('of study circuits are made once, and are not kept when they were cancelled', async () => {
    const run = vi.spyOn(model.transformer, 'run');
    await expect(runs.ofStudy(model, task, 6, AbortSignal.abort())).rejects.toMatchObject({
      code: 'cancelled',
    });
    const first = await runs.ofStudy(model, task, 6);
    const calls = run.mock.calls.length;
    expect(await runs.ofStudy(model, task, 6)).toBe(first);
    expect(run.mock.calls.length).toBe(calls);
    expect((await runs.ofStudy(model, task, 4)).full).not.toBe(first.full);
    run.mockRestore();
  });
});
