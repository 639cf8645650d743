/** A forward pass of the tiny GPT-2 in which every reader's input can be chosen, by plain loops: one whole run per reader. */
import type { TokenPair } from '../../../../src/engine/task/task.ts';
import { plainGpt2 } from '../../../fixtures/plainGpt2.ts';
import type { TinyModel } from '../../../fixtures/tinyModel.ts';

/** What each source has written so far, by name: `input`, `a0.h1`, `m1`. */
export type PlainWrites = Map<string, Float64Array>;

export interface PlainFlow {
  readonly logits: Float64Array;
  readonly writes: PlainWrites;
  /** What each reader read, by name: `a1.h0<q>`, `m0`, `logits`. */
  readonly reads: ReadonlyMap<string, Float64Array>;
}

/** Chooses the input of a reader, given the stream that it would read. All are `[position, d_model]`. */
export type ChooseInput = (reader: string, stream: Float64Array, writes: PlainWrites) => Float64Array;

/** Runs from the stream `start` into the first block; `ids` only fix the length. */
export function plainFlow(
  { config, weights }: TinyModel,
  ids: readonly number[],
  start: Float64Array,
  choose: ChooseInput = (_, stream) => stream,
): PlainFlow {
  const { nHeads, nLayers, dModel } = config;
  const dHead = dModel / nHeads;
  const writes: PlainWrites = new Map([['input', start]]);
  const reads = new Map<string, Float64Array>();
  const read = (name: string, stream: Float64Array): Float64Array => {
    const value = choose(name, stream, writes);
    reads.set(name, value);
    return value;
  };
  const under = (set: ReadonlyMap<string, Float64Array>, wanted: string): Float64Array => {
    let found: Float64Array | undefined;
    plainGpt2(config, weights, ids, (name, { data }) => {
      const value = set.get(name);
      if (value) data.set(value);
      if (name === wanted) found = data.slice();
    });
    return found!;
  };
  let stream = start;
  for (let layer = 0; layer < nLayers; layer++) {
    const at = (hook: string): string => `blocks.${layer}.${hook}`;
    const projected = new Map<string, Float64Array>();
    for (const part of ['q', 'k', 'v']) {
      const hook = at(`attn.hook_${part}`);
      const joint = new Float64Array(ids.length * dModel);
      for (let head = 0; head < nHeads; head++) {
        const own = read(`a${layer}.h${head}<${part}>`, stream);
        const all = under(new Map([[at('hook_resid_pre'), own]]), hook);
        for (let position = 0; position < ids.length; position++) {
          const from = (position * nHeads + head) * dHead;
          joint.set(all.subarray(from, from + dHead), from);
        }
      }
      projected.set(hook, joint);
    }
    const results = under(projected, at('attn.hook_result'));
    for (let head = 0; head < nHeads; head++) {
      writes.set(
        `a${layer}.h${head}`,
        Float64Array.from(stream, (_, i) => {
          const [position, column] = [Math.floor(i / dModel), i % dModel];
          return results[(position * nHeads + head) * dModel + column]!;
        }),
      );
    }
    const attended = under(projected, at('hook_attn_out'));
    const middle = stream.map((x, i) => x + attended[i]!);
    const mlp = under(new Map([[at('hook_resid_mid'), read(`m${layer}`, middle)]]), at('hook_mlp_out'));
    writes.set(`m${layer}`, mlp);
    stream = middle.map((x, i) => x + mlp[i]!);
  }
  const top = `blocks.${nLayers - 1}.hook_resid_post`;
  return { logits: under(new Map([[top, read('logits', stream)]]), 'unembed.hook_out'), writes, reads };
}

/** The stream into the first block. */
export function plainEmbedding({ config, weights }: TinyModel, ids: readonly number[]): Float64Array {
  let found: Float64Array | undefined;
  plainGpt2(config, weights, ids, (name, { data }) => {
    if (name === 'blocks.0.hook_resid_pre') found = data.slice();
  });
  return found!;
}

/** Logits of a pair when an edge for which `isIn(source, reader)` is false carries what it does on the corrupted prompt. */
export function plainCircuit(
  tiny: TinyModel,
  pair: TokenPair,
  isIn: (source: string, reader: string) => boolean,
): Float64Array {
  const [clean, corrupted] = [[...pair.clean], [...pair.corrupted]];
  const other = plainFlow(tiny, corrupted, plainEmbedding(tiny, corrupted));
  return plainFlow(tiny, clean, plainEmbedding(tiny, clean), (reader, _stream, writes) => {
    const input = other.reads.get(reader)!.slice();
    for (const [source, write] of writes) {
      if (!isIn(source, reader) || !readsFrom(source, reader)) continue;
      const before = other.writes.get(source)!;
      for (let i = 0; i < input.length; i++) input[i]! += write[i]! - before[i]!;
    }
    return input;
  }).logits;
}

/** Whether the source is written before the reader reads; heads of one layer do not hear each other. */
function readsFrom(source: string, reader: string): boolean {
  const layerOf = (name: string) => Number(/^[am](\d+)/.exec(name)?.[1]);
  if (source === 'input' || reader === 'logits') return true;
  if (layerOf(source) !== layerOf(reader)) return layerOf(source) < layerOf(reader);
  return source.startsWith('a') && reader.startsWith('m');
}

/** Mean logit of the answers minus that of the wrong ones at the last position. */
export function plainDifference(logits: Float64Array, dVocab: number, pair: TokenPair): number {
  const last = logits.subarray(logits.length - dVocab);
  const mean = (ids: readonly number[]) => ids.reduce((sum, id) => sum + last[id]!, 0) / ids.length;
  return mean(pair.answers) - mean(pair.wrongAnswers);
}

/** KL(reference ‖ run) at the last position, in nats. */
export function plainDivergence(reference: Float64Array, logits: Float64Array, dVocab: number): number {
  const logOf = (all: Float64Array) => {
    const row = all.subarray(all.length - dVocab);
    const whole = Math.log(row.reduce((sum, x) => sum + Math.exp(x), 0));
    return row.map((x) => x - whole);
  };
  const [p, q] = [logOf(reference), logOf(logits)];
  return p.reduce((sum, x, i) => sum + Math.exp(x) * (x - q[i]!), 0);
}

/** Pairs of two lengths for the tiny model. */
export const tinyPairs: readonly TokenPair[] = [
  pair([3, 117, 58, 201, 22, 9], [3, 44, 58, 310, 22, 77], [5], [19, 23]),
  pair([8, 12, 301, 44, 2, 6], [8, 90, 301, 44, 7, 6], [5, 7], [19]),
  pair([31, 17, 250, 4], [31, 62, 11, 4], [90], [19]),
];

function pair(clean: number[], corrupted: number[], answers: number[], wrongAnswers: number[]): TokenPair {
  return {
    clean: Int32Array.from(clean),
    corrupted: Int32Array.from(corrupted),
    answers,
    wrongAnswers,
    roles: {},
    template: '',
  };
}
