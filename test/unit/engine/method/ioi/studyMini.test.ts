/** The whole study on the embedded model: its circuit passes the criteria of the paper. */
import { expect, test } from 'vitest';
import { studyIndirectObjects } from '../../../../../src/engine/method/ioi/studyIndirectObjects.ts';
import { loadTokenizer } from '../../../../../src/engine/model/tokenizer.ts';
import { Transformer } from '../../../../../src/engine/model/transformer.ts';
import { loadTask } from '../../../../../src/engine/task/loadTask.ts';
import { miniFolder } from '../../../../fixtures/tinyModel.ts';

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

test('on the embedded model a small circuit is faithful, complete on random sets, and minimal', async () => {
  const model = await Transformer.open(miniFolder);
  try {
    const tokenizer = await loadTokenizer(miniFolder);
    const taskModel = { tokenizer, bos: undefined, nContext: model.config.nContext };
    const source = { kind: 'generator', name: 'ioi', count: 640, seed: 1 } as const;
    const { task } = await loadTask(source, taskModel);
    const request = {
      pathPairs: 24,
      circuitPairs: 24,
      copyPairs: 10,
      greedy: { runs: 0, steps: 0, candidates: 0 },
    };
    const { behaviour, circuit, smallestTemplate } = await studyIndirectObjects(
      { model, tokenizer, task },
      request,
    );
    expect(smallestTemplate).toBeGreaterThanOrEqual(5);
    expect(behaviour.accuracy).toBeGreaterThanOrEqual(0.99);
    expect(behaviour.logitDifference).toBeGreaterThan(3);
    expect(circuit!.nodes.length / circuit!.allNodes).toBeLessThanOrEqual(0.3);
    expect(circuit!.unfaithfulness).toBeLessThanOrEqual(0.13);
    expect(
      mean(circuit!.completeness.random.map(({ incompleteness }) => incompleteness)),
    ).toBeLessThanOrEqual(0.05);
    // On pairs that no node was chosen by.
    const heldOut = circuit!.heldOut!;
    expect(heldOut.pairs).toBe(24);
    expect(heldOut.model).not.toBe(circuit!.model);
    const { model: whole, circuit: alone, unfaithfulness, completeness, minimality } = heldOut;
    expect(unfaithfulness).toBeCloseTo(Math.abs(whole - alone) / Math.abs(whole), 12);
    expect(unfaithfulness).toBeLessThanOrEqual(0.13);
    expect(mean(completeness.random.map(({ incompleteness }) => incompleteness))).toBeLessThanOrEqual(0.05);
    expect(Math.min(...minimality.map(({ effect }) => effect))).toBeGreaterThanOrEqual(0.01);
    expect(Math.min(...circuit!.minimality.map(({ effect }) => effect))).toBeGreaterThanOrEqual(0.01);
  } finally {
    await model.release();
  }
}, 300_000);
