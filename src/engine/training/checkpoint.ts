/** The state of a training as a safetensors file, so that it can stop anywhere and continue bit for bit. */

import { existsSync } from 'node:fs';
import { EngineError } from '../../shared/errors.ts';
import { openSafetensors, type Safetensors, writeSafetensors } from '../files/safetensors.ts';
import { type FloatValue, floatValue } from '../graph/value.ts';
import type { ParameterVector } from './parameterVector.ts';

/** Everything that a training carries from one step to the next. Vectors are `[size]`. */
export interface TrainingState {
  /** Steps done. */
  readonly step: number;
  readonly parameters: Float32Array;
  readonly moment1: Float32Array;
  readonly moment2: Float32Array;
  readonly state: Readonly<Record<string, FloatValue>>;
}

const vectorNames = ['parameters', 'moment1', 'moment2'] as const;

/** Replaces the checkpoint at `path`. */
export async function writeCheckpoint(
  path: string,
  vector: ParameterVector,
  current: TrainingState,
): Promise<void> {
  const tensors: Record<string, FloatValue> = {};
  for (const kind of vectorNames) {
    for (const [name, value] of Object.entries(vector.unpack(current[kind])))
      tensors[`${kind}.${name}`] = value;
  }
  for (const [name, value] of Object.entries(current.state)) tensors[`state.${name}`] = value;
  await writeSafetensors(path, tensors, { step: String(current.step) });
}

/**
 * The checkpoint at `path`, or undefined when there is none.
 *
 * @throws EngineError 'file.malformed' when it does not hold the parameters and state that are expected.
 */
export async function readCheckpoint(
  path: string,
  vector: ParameterVector,
  expectedState: Readonly<Record<string, FloatValue>>,
): Promise<TrainingState | undefined> {
  if (!existsSync(path)) return undefined;
  const file = await openSafetensors(path);
  const step = Number(file.metadata.step);
  if (!Number.isInteger(step) || step < 0)
    throw malformed(path, 'step', 'a number of steps', file.metadata.step ?? 'missing');
  const readVector = async (kind: (typeof vectorNames)[number]) => {
    const values: Record<string, FloatValue> = {};
    for (const name of vector.names)
      values[name] = await readTensor(file, `${kind}.${name}`, vector.dims(name));
    return vector.pack(values);
  };
  const state: Record<string, FloatValue> = {};
  for (const [name, { dims }] of Object.entries(expectedState))
    state[name] = await readTensor(file, `state.${name}`, dims);
  return {
    step,
    parameters: await readVector('parameters'),
    moment1: await readVector('moment1'),
    moment2: await readVector('moment2'),
    state,
  };
}

async function readTensor(file: Safetensors, name: string, dims: readonly number[]): Promise<FloatValue> {
  const found = file.tensors.get(name);
  const expected = `F32 [${dims.join(', ')}]`;
  const description = found ? `${found.dtype} [${found.shape.join(', ')}]` : 'missing';
  if (description !== expected) throw malformed(file.path, name, expected, description);
  return floatValue(await file.readFloat32(name), dims);
}

function malformed(path: string, field: string, expected: string, found: string): EngineError {
  return new EngineError('file.malformed', { path, field, expected, found });
}
