/** What the trainer needs to know of something that can be trained. */

import type { Seed } from '../graph/backward.ts';
import type { Tensor, TensorType } from '../graph/tensor.ts';
import type { FloatValue, Value } from '../graph/value.ts';
import type { TrainedParameter } from './parameterVector.ts';

export type NamedTensors = Readonly<Record<string, Tensor>>;

/** What one step starts from. */
export interface StepInputs {
  readonly parameters: NamedTensors;
  /** What the task carries from step to step beside parameters, such as counters. */
  readonly state: NamedTensors;
  readonly batch: NamedTensors;
  /** Number of this step counted from 1, a float64 scalar. */
  readonly step: Tensor;
}

/** The forward half of one step. */
export interface StepGraph {
  /** What is made small: a float32 scalar. */
  readonly loss: Tensor;
  /** Where differentiation starts, when the task knows a gradient in closed form; by default at the loss. */
  readonly seeds?: readonly Seed[];
  /** Scalars for the log. */
  readonly metrics?: NamedTensors;
  /** The new state, every entry of it. */
  readonly state?: NamedTensors;
}

/** A model, its loss and its data. */
export interface TrainingTask {
  readonly parameters: Readonly<Record<string, TrainedParameter>>;
  readonly state?: Readonly<Record<string, FloatValue>>;
  /** Names and types of what `batch` gives; sizes are numbers. */
  readonly inputs: Readonly<Record<string, TensorType>>;
  forward(inputs: StepInputs): StepGraph;
  /** Changes gradients before the optimizer sees them. Names that it leaves out stay as they are. */
  adjustGradients?(gradients: NamedTensors, parameters: NamedTensors): NamedTensors;
  /** Puts new parameters back where they must lie (unit norm). Names that it leaves out stay as they are. */
  project?(parameters: NamedTensors): NamedTensors;
  /**
   * The data of step `step` (counted from 0). It must depend on nothing but `step`, so that a resumed
   * training sees the same data.
   */
  batch(step: number): Readonly<Record<string, Value>> | Promise<Readonly<Record<string, Value>>>;
}
