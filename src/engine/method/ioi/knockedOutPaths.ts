/**
 * Which heads take over when others are knocked out (Wang et al. 2022, §3.4): path patching from every head to the logits,
 * once more, in a model whose heads `out` write their means at END in both runs.
 *
 * effect(h) = (F_D − F_out) / |F_orig| with F_out the mean logit difference under the knock-out alone and F_orig without it.
 * Backup name movers have one here that they did not have before. Only END is computed: all heads are frozen in step C.
 */
import type { HookName } from '../../../shared/domain.ts';
import type { CallOptions } from '../../../shared/engineApi.ts';
import { throwIfCancelled } from '../../../shared/errors.ts';
import { type FloatValue, floatsOf, floatValue, type Value } from '../../graph/value.ts';
import { names } from '../../model/families/family.ts';
import { blockHookName } from '../../model/hooks.ts';
import { batchesByLength } from '../../model/tokenBatches.ts';
import type { Transformer } from '../../model/transformer.ts';
import { metricValue } from '../../task/metric.ts';
import type { TokenPair } from '../../task/task.ts';
import { gatherPositions } from '../pathSenders.ts';
import { concatRows, repeatRows } from '../rowValues.ts';
import { overwriteHeads } from './headOverwrite.ts';
import { type HeadPlace, positionOf } from './ioiTask.ts';
import { type TemplateMeans, templateMeans } from './templateMeans.ts';

export interface KnockedOutEffects {
  /** F_out. */
  readonly logitDifference: number;
  /** `[head]` in the order of `allHeads`. */
  readonly effects: Float64Array;
}

/** One run at END: by layer the stream that enters, `[row, 1, d_model]`, what heads hold, and what attention adds. */
interface EndRun {
  readonly streams: readonly FloatValue[];
  readonly z: readonly FloatValue[];
  readonly attention: readonly FloatValue[];
  /** `[row]` */
  readonly values: readonly number[];
}

/** @throws cancelled */
export async function knockedOutEffects(
  model: Transformer,
  pairs: readonly TokenPair[],
  {
    out,
    original,
    means,
  }: { readonly out: readonly HeadPlace[]; readonly original: number; readonly means?: TemplateMeans },
  call: CallOptions = {},
): Promise<KnockedOutEffects> {
  const { nLayers, nHeads } = model.config;
  const known = means ?? (await templateMeans(model, pairs, call.signal));
  const effects = new Float64Array(nLayers * nHeads);
  let [sum, done] = [0, 0];
  for (const { places } of batchesByLength(
    pairs.map(({ clean }) => clean),
    64,
  )) {
    const batch = {
      pairs: places.map((place) => pairs[place]!),
      groups: places.map((place) => known.groups[place]!),
    };
    const runOf = (which: 'clean' | 'corrupted') =>
      runAtEnd(model, batch, { which, out, means: known, signal: call.signal });
    const [orig, fresh] = [await runOf('clean'), await runOf('corrupted')];
    sum += orig.values.reduce((total, value) => total + value, 0);
    const changes = await directChanges(model, batch.pairs, { orig, fresh, out }, call.signal);
    changes.forEach((change, head) => {
      effects[head]! += change / (pairs.length * Math.abs(original));
    });
    done += places.length;
    call.report?.({ done, total: pairs.length, what: 'Paths without the name movers' });
  }
  return { logitDifference: sum / pairs.length, effects };
}

interface GroupedPairs {
  readonly pairs: readonly TokenPair[];
  readonly groups: readonly number[];
}

async function runAtEnd(
  model: Transformer,
  { pairs, groups }: GroupedPairs,
  request: {
    readonly which: 'clean' | 'corrupted';
    readonly out: readonly HeadPlace[];
    readonly means: TemplateMeans;
    readonly signal: AbortSignal | undefined;
  },
): Promise<EndRun> {
  const { nLayers, nHeads, dHead, dVocab } = model.config;
  const tokens = pairs.map((pair) => pair[request.which]);
  const length = tokens[0]!.length;
  const ends = pairs.map((pair) => positionOf(pair, 'END'));
  const places = ends.map((end) => [end]);
  const layers = [...new Set(request.out.map(({ layer }) => layer))];
  const edits = layers.map((layer) => {
    const data = new Float32Array(pairs.length * nHeads * dHead);
    groups.forEach((group, row) => {
      const start = ends[row]! * nHeads * dHead;
      data.set(
        request.means.means[group]![layer]!.subarray(start, start + nHeads * dHead),
        row * nHeads * dHead,
      );
    });
    const heads = request.out.filter((place) => place.layer === layer).map(({ head }) => head);
    const values = floatValue(data, [pairs.length, 1, nHeads, dHead]);
    return overwriteHeads({ layer, hook: 'attn.hook_z', heads, positions: ends, length, values });
  });
  const kept = new Map<HookName, FloatValue>();
  const watch = new Map<HookName, (value: Value) => void>();
  const hooksOf = (hook: 'attn.hook_z' | 'hook_attn_out') =>
    Array.from({ length: nLayers }, (_, l) => blockHookName(l, hook));
  for (const hook of [...hooksOf('attn.hook_z'), ...hooksOf('hook_attn_out')]) {
    watch.set(hook, (value) => kept.set(hook, gatherPositions(value, places)));
  }
  const result = await model.run({ tokens, edits, watch, logits: 'last', signal: request.signal });
  const logits = floatsOf(result.logits!);
  return {
    streams: result.residuals.map((residual) => gatherPositions(residual!, places)),
    z: hooksOf('attn.hook_z').map((hook) => kept.get(hook)!),
    attention: hooksOf('hook_attn_out').map((hook) => kept.get(hook)!),
    values: pairs.map((pair, row) =>
      metricValue('logitDifference', logits.subarray(row * dVocab, (row + 1) * dVocab), pair),
    ),
  };
}

interface KnockedOutRuns {
  readonly orig: EndRun;
  readonly fresh: EndRun;
  readonly out: readonly HeadPlace[];
}

/** Sum over pairs of the change of the logit difference, `[head]`. */
async function directChanges(
  model: Transformer,
  pairs: readonly TokenPair[],
  { orig, fresh, out }: KnockedOutRuns,
  signal?: AbortSignal,
): Promise<number[]> {
  const { nLayers, nHeads, dVocab } = model.config;
  const part = async (layer: number, residual: Value, fed: 'attn.hook_z' | 'hook_attn_out', value: Value) => {
    const feeds = { [names.residual]: residual };
    const results = await model.stages.part({
      layer,
      feeds,
      fed: new Map([[fed, value]]),
      outputs: ['nextResidual'],
    });
    return results.nextResidual as FloatValue;
  };
  let rows: FloatValue | undefined;
  const changed: number[] = [];
  for (let layer = 0; layer < nLayers; layer++) {
    throwIfCancelled(signal);
    if (rows)
      rows = await part(layer, rows, 'hook_attn_out', repeatRows(orig.attention[layer]!, changed.length));
    const heads = Array.from({ length: nHeads }, (_, head) => head).filter(
      (head) => !out.some((place) => place.layer === layer && place.head === head),
    );
    if (heads.length === 0) continue;
    const z = exchanged(orig.z[layer]!, fresh.z[layer]!, heads);
    const sent = await part(layer, repeatRows(orig.streams[layer]!, heads.length), 'attn.hook_z', z);
    rows = rows ? concatRows([rows, sent]) : sent;
    changed.push(...heads.map((head) => layer * nHeads + head));
  }
  const result = new Array<number>(nLayers * nHeads).fill(0);
  if (!rows) return result;
  const size = pairs.length * model.config.dModel;
  for (const [i, head] of changed.entries()) {
    const row = floatValue(rows.data.subarray(i * size, (i + 1) * size), [
      pairs.length,
      1,
      model.config.dModel,
    ]);
    const logits = floatsOf(await model.readOut(row));
    pairs.forEach((pair, at) => {
      const value = metricValue('logitDifference', logits.subarray(at * dVocab, (at + 1) * dVocab), pair);
      result[head]! += value - orig.values[at]!;
    });
  }
  return result;
}

/** `[head·row, 1, head, d_head]`: copies of `z`, in each of which one of `heads` is that of `other`. */
function exchanged(z: FloatValue, other: FloatValue, heads: readonly number[]): FloatValue {
  const [rows = 0, , nHeads = 0, dHead = 0] = z.dims;
  const copies = repeatRows(z, heads.length);
  const data = copies.data.slice();
  heads.forEach((head, copy) => {
    for (let row = 0; row < rows; row++) {
      const from = (row * nHeads + head) * dHead;
      data.set(other.data.subarray(from, from + dHead), ((copy * rows + row) * nHeads + head) * dHead);
    }
  });
  return floatValue(data, copies.dims);
}
