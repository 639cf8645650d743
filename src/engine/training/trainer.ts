/** Trains any `TrainingTask`: one compiled program computes a whole step, from batch to new parameters. */

import type { Progress } from '../../shared/domain.ts';
import { EngineError, throwIfCancelled } from '../../shared/errors.ts';
import { gradients } from '../graph/backward.ts';
import { program } from '../graph/program.ts';
import { type CompiledProgram, compile } from '../graph/session.ts';
import { input } from '../graph/sources.ts';
import type { Tensor } from '../graph/tensor.ts';
import { type FloatValue, floatsOf, floatValue, type Value } from '../graph/value.ts';
import { readCheckpoint, type TrainingState, writeCheckpoint } from './checkpoint.ts';
import { type AdamWOptions, adamW } from './optimizer.ts';
import { ParameterVector } from './parameterVector.ts';
import type { NamedTensors, TrainingTask } from './trainingTask.ts';

/** Numbers of one step: `loss`, `learningRate`, `gradientNorm` and the task's own. */
export type StepMetrics = Readonly<Record<string, number>>;

export interface TrainOptions {
  /** Steps in all, those before a resume included. */
  readonly steps: number;
  readonly optimizer: AdamWOptions;
  /** Where the state is kept. A training continues from this file when it exists. */
  readonly checkpoint?: { readonly path: string; readonly everySteps: number };
  readonly threads?: number;
  /** What progress is called, e.g. "Training the model". */
  readonly what?: string;
  readonly signal?: AbortSignal;
  readonly report?: (progress: Progress) => void;
  /** Called after each step. `snapshot` gives the parameters as they are now; they change with the next step. */
  readonly onStep?: (
    step: number,
    metrics: StepMetrics,
    snapshot: () => Record<string, FloatValue>,
  ) => void | Promise<void>;
}

export interface Trained {
  readonly parameters: Record<string, FloatValue>;
  readonly state: Record<string, FloatValue>;
  /** Metrics of the last step; empty when there was nothing left to do. */
  readonly metrics: StepMetrics;
}

/**
 * Trains `task` until `steps` steps are done.
 *
 * @throws EngineError 'training.diverged' when loss or gradient stop being finite (the checkpoint before
 * stays), 'cancelled' after writing a checkpoint, 'file.malformed' when the checkpoint is of another training.
 */
export async function train(task: TrainingTask, options: TrainOptions): Promise<Trained> {
  const vector = new ParameterVector(task.parameters);
  const resumed =
    options.checkpoint && (await readCheckpoint(options.checkpoint.path, vector, task.state ?? {}));
  let current: TrainingState = resumed ?? initialState(vector, task.state ?? {});
  const compiled = await compile(program(stepOutputs(task, vector, options.optimizer)), {
    threads: options.threads,
  });
  // Two sets of arrays take turns as input and output, so that thousands of steps allocate nothing large.
  let spare = emptyLike(current);
  let metrics: StepMetrics = {};
  try {
    while (current.step < options.steps) {
      if (options.signal?.aborted && options.checkpoint)
        await writeCheckpoint(options.checkpoint.path, vector, current);
      throwIfCancelled(options.signal);
      metrics = await runStep(compiled, task, current, spare);
      checkFinite(metrics, current.step);
      [current, spare] = [{ ...spare, step: current.step + 1 }, current];
      await afterStep(options, vector, current, metrics);
    }
    return { parameters: vector.unpack(current.parameters), state: { ...current.state }, metrics };
  } finally {
    await compiled.release();
  }
}

/** Everything that one step computes. */
function stepOutputs(
  task: TrainingTask,
  vector: ParameterVector,
  optimizer: AdamWOptions,
): Record<string, Tensor> {
  const flat = (name: string) => input(name, 'float32', [vector.size]);
  const before = { parameters: flat('parameters'), moment1: flat('moment1'), moment2: flat('moment2') };
  const parameters = vector.split(before.parameters);
  const state = mapEntries(task.state ?? {}, ({ dims }, name) => input(`state.${name}`, 'float32', dims));
  const batch = mapEntries(task.inputs, ({ dtype, shape }, name) => input(`batch.${name}`, dtype, shape));

  const step = input('step', 'float64', []);

  const graph = task.forward({ parameters, state, batch, step });
  const slopes = gradients(
    graph.seeds ?? [{ tensor: graph.loss }],
    vector.names.map((name) => parameters[name]!),
  );
  const named = Object.fromEntries(vector.names.map((name, i) => [name, slopes[i]!]));
  const adjusted = { ...named, ...task.adjustGradients?.(named, parameters) };

  const update = adamW(before, vector.join(adjusted), step, vector.decayMask(), optimizer);
  return {
    parameters_new: task.project ? projected(task.project, vector, update.parameters) : update.parameters,
    moment1_new: update.moment1,
    moment2_new: update.moment2,
    ...mapKeys(graph.state ?? {}, (name) => `state.${name}_new`),
    'metric.loss': graph.loss,
    'metric.learningRate': update.learningRate,
    'metric.gradientNorm': update.gradientNorm,
    ...mapKeys(graph.metrics ?? {}, (name) => `metric.${name}`),
  };
}

function projected(
  project: (parameters: NamedTensors) => NamedTensors,
  vector: ParameterVector,
  flat: Tensor,
): Tensor {
  const parameters = vector.split(flat);
  return vector.join({ ...parameters, ...project(parameters) });
}

/** Computes the step after `from` into the arrays of `into`. */
async function runStep(
  compiled: CompiledProgram,
  task: TrainingTask,
  from: TrainingState,
  into: TrainingState,
): Promise<StepMetrics> {
  const batch = await task.batch(from.step);
  const results = await compiled.run(
    {
      ...vectors(from, ''),
      ...mapKeys(from.state, (name) => `state.${name}`),
      ...mapKeys(batch, (name) => `batch.${name}`),
      step: { dtype: 'float64', dims: [], data: Float64Array.of(from.step + 1) },
    },
    { into: { ...vectors(into, '_new'), ...mapKeys(into.state, (name) => `state.${name}_new`) } },
  );
  const metrics = Object.entries(results).filter(([name]) => name.startsWith('metric.'));
  return Object.fromEntries(
    metrics.map(([name, value]) => [name.slice('metric.'.length), floatsOf(value)[0]!]),
  );
}

async function afterStep(
  options: TrainOptions,
  vector: ParameterVector,
  current: TrainingState,
  metrics: StepMetrics,
): Promise<void> {
  const { checkpoint, steps } = options;
  const isDue = checkpoint && (current.step % checkpoint.everySteps === 0 || current.step === steps);
  if (isDue) await writeCheckpoint(checkpoint.path, vector, current);
  options.report?.({
    done: current.step,
    total: steps,
    what: `${options.what ?? 'Training'}, loss ${metrics.loss!.toFixed(3)}`,
  });
  await options.onStep?.(current.step, metrics, () => vector.unpack(current.parameters));
}

function checkFinite(metrics: StepMetrics, step: number): void {
  if (Number.isFinite(metrics.loss) && Number.isFinite(metrics.gradientNorm)) return;
  throw new EngineError('training.diverged', { step: step + 1 });
}

function initialState(vector: ParameterVector, state: Readonly<Record<string, FloatValue>>): TrainingState {
  return {
    step: 0,
    parameters: vector.initial(),
    moment1: new Float32Array(vector.size),
    moment2: new Float32Array(vector.size),
    state: mapEntries(state, ({ data, dims }) => floatValue(data.slice(), dims)),
  };
}

function emptyLike({ parameters, state }: TrainingState): TrainingState {
  const empty = () => new Float32Array(parameters.length);
  return {
    step: 0,
    parameters: empty(),
    moment1: empty(),
    moment2: empty(),
    state: mapEntries(state, ({ data, dims }) => floatValue(new Float32Array(data.length), dims)),
  };
}

function vectors({ parameters, moment1, moment2 }: TrainingState, suffix: string): Record<string, Value> {
  return mapKeys(
    { parameters: floatValue(parameters), moment1: floatValue(moment1), moment2: floatValue(moment2) },
    (name) => `${name}${suffix}`,
  );
}

function mapEntries<A, B>(
  record: Readonly<Record<string, A>>,
  map: (value: A, name: string) => B,
): Record<string, B> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, map(value, name)]));
}

function mapKeys<A>(
  record: Readonly<Record<string, A>>,
  rename: (name: string) => string,
): Record<string, A> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [rename(name), value]));
}
