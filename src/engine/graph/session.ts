/** Compiles programs with ONNX Runtime and runs them: the only file that knows the runtime. */

import type { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-common';
import { encodeOnnx } from './onnx.ts';
import type { DType } from './opAttributes.ts';
import { physicalCores } from './physicalCores.ts';
import type { Program } from './program.ts';
import { describeType, type TensorType } from './tensor.ts';
import type { TypedArray, Value } from './value.ts';
import { placeWeights } from './weights.ts';

export interface CompileOptions {
  /** Threads inside one operation; the number of physical cores when not given. */
  readonly threads?: number;
  /** Lay weights out anew for speed, at twice the memory. Default true. */
  readonly prepacking?: boolean;
  /** Keep freed memory for the next run. Default true; false returns it to the system at some cost per run. */
  readonly arena?: boolean;
}

export interface RunOptions {
  /**
   * Names of the outputs wanted, all when not given. The whole program runs either way; fetching less copies less.
   */
  readonly fetches?: readonly string[];
  /** Arrays to write outputs into, by name, instead of new ones: for loops that run thousands of times. */
  readonly into?: Readonly<Record<string, Value>>;
}

/** A program made ready to run. It holds native memory until released. */
export interface CompiledProgram {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  /** Computes outputs from feeds. Runs of one program follow each other; a run blocks the event loop while it computes. */
  run(feeds: Readonly<Record<string, Value>>, options?: RunOptions): Promise<Record<string, Value>>;
  /** Frees the native memory. The program cannot run afterwards. */
  release(): Promise<void>;
}

/**
 * Makes `program` ready to run. Weights are read in place from the folder that holds most of them;
 * weights elsewhere are copied when they are small.
 *
 * @throws EngineError 'file.missing' or 'file.unreadable' when a weight file cannot be opened, 'file.changed' when it
 * is not the one that was located.
 */
export async function compile(program: Program, options: CompileOptions = {}): Promise<CompiledProgram> {
  const { InferenceSession, Tensor } = await loadRuntime();
  const weights = await placeWeights(program.parameters.map(({ node }) => node.attributes));
  const bytes = encodeOnnx(program, (x) => weights.places.get(x.name)!);
  const session = await native('The program cannot be compiled', () =>
    InferenceSession.create(bytes, sessionOptions(options, weights.folder)),
  );
  return new NativeProgram(program, session, Tensor);
}

class NativeProgram implements CompiledProgram {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  readonly #program: Program;
  readonly #session: InferenceSession;
  readonly #Tensor: typeof OrtTensor;

  constructor(program: Program, session: InferenceSession, tensorClass: typeof OrtTensor) {
    this.#program = program;
    this.#session = session;
    this.#Tensor = tensorClass;
    this.inputNames = program.inputs.map((x) => x.name);
    this.outputNames = program.outputs.map((x) => x.name);
  }

  async run(
    feeds: Readonly<Record<string, Value>>,
    options: RunOptions = {},
  ): Promise<Record<string, Value>> {
    const nativeFeeds: Record<string, OrtTensor> = {};
    for (const expected of this.#program.inputs) {
      nativeFeeds[expected.name] = this.#toNative(checkFeed(expected, feeds[expected.name]));
    }
    const fetches: Record<string, OrtTensor | null> = {};
    for (const name of options.fetches ?? this.outputNames) {
      const target = options.into?.[name];
      fetches[name] = target ? this.#toNative(target) : null;
    }
    const results = await native('The program cannot run', () => this.#session.run(nativeFeeds, fetches));
    return Object.fromEntries(
      Object.entries(results).map(([name, tensor]) => [name, fromNative(tensor as OrtTensor)]),
    );
  }

  async release(): Promise<void> {
    await this.#session.release();
  }

  #toNative({ dtype, data, dims }: Value): OrtTensor {
    return new this.#Tensor(dtype as 'float32', data as Float32Array, dims);
  }
}

function fromNative(tensor: OrtTensor): Value {
  return { dtype: tensor.type as DType, dims: tensor.dims, data: tensor.data as TypedArray };
}

type Runtime = typeof import('onnxruntime-node');

/** Loads the native library on first use, so that importing this file costs nothing. */
function loadRuntime(): Promise<Runtime> {
  return native('ONNX Runtime cannot be loaded on this machine', () => import('onnxruntime-node'));
}

function sessionOptions(
  options: CompileOptions,
  folder: string | undefined,
): InferenceSession.SessionOptions {
  return {
    executionProviders: ['cpu'],
    intraOpNumThreads: options.threads ?? physicalCores(),
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    enableCpuMemArena: options.arena ?? true,
    // Errors reach the caller as exceptions; written to the terminal as well they would be noise.
    logSeverityLevel: 4,
    extra: {
      session: {
        // Idle threads of one block's session would otherwise take the cores from the next block's.
        intra_op: { allow_spinning: '0' },
        inter_op: { allow_spinning: '0' },
        disable_prepacking: options.prepacking === false ? '1' : '0',
        ...(folder && { model_external_initializers_file_folder_path: folder }),
      },
    },
  };
}

/** Words a native failure: what was tried, and what the runtime said. */
async function native<T>(attempt: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new Error(`${attempt}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}

function checkFeed(expected: TensorType & { readonly name: string }, value: Value | undefined): Value {
  if (!value) throw new Error(`The program needs the input ${expected.name}: ${describeType(expected)}.`);
  const fits =
    value.dtype === expected.dtype &&
    value.dims.length === expected.shape.length &&
    expected.shape.every((dim, axis) => typeof dim === 'string' || dim === value.dims[axis]);
  if (fits) return value;
  const found = describeType({ dtype: value.dtype, shape: value.dims });
  throw new Error(`The input ${expected.name} should be ${describeType(expected)}, but is ${found}.`);
}
