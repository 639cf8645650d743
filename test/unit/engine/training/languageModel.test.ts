// The language-model task against GPT-2's equations in plain loops, and a tiny training that must succeed.

import { describe, expect, test } from 'vitest';
import { gradients } from '../../../../src/engine/graph/backward.ts';
import { program } from '../../../../src/engine/graph/program.ts';
import { compile } from '../../../../src/engine/graph/session.ts';
import { input } from '../../../../src/engine/graph/sources.ts';
import type { Tensor } from '../../../../src/engine/graph/tensor.ts';
import { toNumbers } from '../../../../src/engine/graph/value.ts';
import { seededRandom } from '../../../../src/engine/random.ts';
import { languageModelTask } from '../../../../src/engine/training/languageModel.ts';
import { train } from '../../../../src/engine/training/trainer.ts';
import type { TrainingTask } from '../../../../src/engine/training/trainingTask.ts';
import { plainLoss } from './plainGpt2.ts';

const shape = { nLayers: 2, nHeads: 2, dModel: 8, dMlp: 12, dVocab: 11, nContext: 6, layerNormEps: 1e-5 };
const rows = [
  [3, 1, 4, 1, 5],
  [9, 2, 6, 10, 0],
];

/** Initial weights made large, so that attention and GELU are far from linear, with biases that are not zero. */
function strongTask(): TrainingTask {
  const random = seededRandom(5);
  const task = languageModelTask({
    shape,
    rows: 2,
    rowLength: 4,
    random,
    tokens: () => Int32Array.from(rows.flat()),
  });
  for (const { initial } of Object.values(task.parameters)) {
    for (let i = 0; i < initial.data.length; i++)
      initial.data[i] = initial.data[i]! * 15 + 0.3 * random.normal();
  }
  return task;
}

async function lossAndGradients(task: TrainingTask) {
  const names = Object.keys(task.parameters);
  const parameters = Object.fromEntries(
    names.map((name) => [name, input(name, 'float32', task.parameters[name]!.initial.dims)]),
  );
  const batch = Object.fromEntries(
    Object.entries(task.inputs).map(([name, type]) => [name, input(name, type.dtype, type.shape)]),
  );
  const graph = task.forward({ parameters, state: {}, batch, step: input('step', 'float64', []) });
  const slopes = gradients(
    graph.seeds ?? [{ tensor: graph.loss }],
    names.map((name) => parameters[name]!),
  );
  const outputs: Record<string, Tensor> = { loss: graph.loss };
  names.forEach((name, i) => {
    outputs[`d ${name}`] = slopes[i]!;
  });
  const compiled = await compile(program(outputs), { threads: 1 });
  const values = Object.fromEntries(names.map((name) => [name, task.parameters[name]!.initial]));
  const results = await compiled.run({ ...values, ...(await task.batch(0)) });
  await compiled.release();
  return results;
}

describe('the language-model task', () => {
  test('computes the loss of GPT-2 and its gradient with respect to every weight', async () => {
    const task = strongTask();
    const results = await lossAndGradients(task);
    const weights = Object.fromEntries(
      Object.entries(task.parameters).map(([name, { initial }]) => [name, Array.from(initial.data)]),
    );
    expect(toNumbers(results.loss!)[0]).toBeCloseTo(plainLoss(weights, shape, rows), 5);

    const step = 1e-5;
    for (const [name, values] of Object.entries(weights)) {
      const slopes = toNumbers(results[`d ${name}`]!);
      // A few elements of each weight, spread over it.
      for (let i = 0; i < values.length; i += Math.ceil(values.length / 7)) {
        const nudged = (by: number) => ({ ...weights, [name]: values.map((x, j) => (j === i ? x + by : x)) });
        const slope =
          (plainLoss(nudged(step), shape, rows) - plainLoss(nudged(-step), shape, rows)) / (2 * step);
        expect(Math.abs(slopes[i]! - slope), `${name}[${i}]`).toBeLessThan(
          1e-4 * Math.max(1, Math.abs(slope)),
        );
      }
    }
  });

  test('names and shapes its weights as Hugging Face does', () => {
    const names = Object.entries(strongTask().parameters).map(
      ([name, { initial }]) => `${name} ${initial.dims.join('x')}`,
    );
    expect(names).toContain('transformer.wte.weight 11x8');
    expect(names).toContain('transformer.wpe.weight 6x8');
    expect(names).toContain('transformer.h.1.attn.c_attn.weight 8x24');
    expect(names).toContain('transformer.h.1.attn.c_proj.bias 8');
    expect(names).toContain('transformer.h.0.mlp.c_fc.weight 8x12');
    expect(names).toContain('transformer.h.0.mlp.c_proj.weight 12x8');
    expect(names).toContain('transformer.ln_f.bias 8');
    expect(names).toHaveLength(4 + 2 * 12);
  });

  test('starts near the loss of guessing and learns a repeating pattern', async () => {
    const pattern = [2, 7, 1, 8, 2, 8, 10];
    const task = languageModelTask({
      shape,
      rows: 8,
      rowLength: 6,
      random: seededRandom(1),
      tokens: (step) =>
        Int32Array.from({ length: 8 * 7 }, (_, i) => pattern[(step + Math.floor(i / 7) + i) % 7]!),
    });
    const losses: number[] = [];
    const trained = await train(task, {
      steps: 200,
      optimizer: {
        learningRate: { kind: 'cosine', peak: 1e-2, warmup: 10, total: 200 },
        weightDecay: 0.01,
        clipNorm: 1,
      },
      onStep: (_, metrics) => void losses.push(metrics.loss!),
    });
    expect(losses[0]).toBeCloseTo(Math.log(11), 1);
    // A 2 or an 8 at the first position can go on in two ways; everything else is certain.
    const ambiguous = ((4 / 7) * Math.log(2)) / 6;
    expect(trained.metrics.loss).toBeGreaterThan(0);
    expect(losses.at(-1)).toBeLessThan(ambiguous + 0.15);
  });

  test('refuses rows longer than the context', () => {
    expect(() =>
      languageModelTask({
        shape,
        rows: 1,
        rowLength: 7,
        random: seededRandom(1),
        tokens: () => new Int32Array(8),
      }),
    ).toThrow('context of 6');
  });
});
