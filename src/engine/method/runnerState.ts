/** What the inputs of all heads and MLPs are in a run, so that changes can start anywhere in it. */
import { floatsOf } from '../graph/value.ts';
import { pickPositions } from '../model/kvCache.ts';
import type { Transformer } from '../model/transformer.ts';
import { destinationIndex, sourceIndex } from './componentGraph.ts';
import { partWidth } from './componentPrograms.ts';
import type { WrittenRun } from './componentWrites.ts';

/** One state of the model: what every destination reads and every source writes. */
export interface RunnerState {
  /** By the first destination of a part: `[pair, position, width, d_model]`. */
  readonly inputs: ReadonlyMap<number, Float32Array>;
  /** The last position before the final norm: `[pair, d_model]`. */
  readonly final: Float32Array;
  /** `[source, pair · position · d_model]`. */
  readonly writes: Float32Array;
}

/** The state of a plain run. */
export function stateOf(model: Transformer, { writes, residuals }: WrittenRun): RunnerState {
  const { config } = model;
  const inputs = new Map<number, Float32Array>();
  for (let layer = 0; layer < config.nLayers; layer++) {
    const stream = floatsOf(residuals[layer]!);
    for (const kind of ['q', 'k', 'v'] as const) {
      const first = destinationIndex(config, { kind, layer, head: 0 });
      inputs.set(first, repeatRows(stream, config.dModel, partWidth(model, kind)));
    }
    // What the attention's output biases add is nobody's write: it is found in the stream behind the block.
    const mlp = sourceIndex(config, { kind: 'mlp', layer }) * stream.length;
    const after = floatsOf(residuals[layer + 1]!);
    const middle = config.parallel ? stream : after.map((x, i) => x - writes[mlp + i]!);
    inputs.set(destinationIndex(config, { kind: 'mlp', layer }), middle);
  }
  const top = residuals[config.nLayers]!;
  return { inputs, final: floatsOf(pickPositions(top, [top.dims[1]! - 1])), writes };
}

/** `[rows, width]` with every row `count` times: `[rows, count, width]`. */
export function repeatRows(data: Float32Array, width: number, count: number): Float32Array {
  const result = new Float32Array(data.length * count);
  for (let row = 0, to = 0; row < data.length; row += width) {
    for (let i = 0; i < count; i++, to += width) result.set(data.subarray(row, row + width), to);
  }
  return result;
}
