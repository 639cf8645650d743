/**
 * What a head does to the attention of the name movers, through their queries alone (Wang et al. 2022, §3.2): path patching
 * from the head at END to the queries at END, and then
 *
 * change(h → role) = mean over pairs and name movers of A_patched[END, role] − A_orig[END, role].
 *
 * A head that inhibits S makes the name movers look at IO rather than at S: without it, IO loses and S1 and S2 gain.
 */
import type { CallOptions } from '../../../shared/engineApi.ts';
import { throwIfCancelled } from '../../../shared/errors.ts';
import type { FloatValue } from '../../graph/value.ts';
import { names } from '../../model/families/family.ts';
import { blockHookName } from '../../model/hooks.ts';
import { batchesByLength } from '../../model/tokenBatches.ts';
import type { Transformer } from '../../model/transformer.ts';
import type { TokenPair } from '../../task/task.ts';
import { BaseRun } from '../baseRun.ts';
import { type PathBatch, sendRows } from '../pathSenders.ts';
import { repeatRows } from '../rowValues.ts';
import { overwriteHeads } from './headOverwrite.ts';
import { allHeads, type HeadPlace, positionOf } from './ioiTask.ts';
import { attendedRoles, attentionFromEnd, emptyRoleAttention, type RoleAttention } from './roleAttention.ts';

/** Positions of one part of the work. */
const waveTokens = 1024;

/** Mean change of attention from END by role, `[sender]` in the order of `allHeads`. @throws cancelled */
export async function inhibitionEffects(
  model: Transformer,
  pairs: readonly TokenPair[],
  nameMovers: readonly HeadPlace[],
  call: CallOptions = {},
): Promise<RoleAttention> {
  const senders = allHeads(model.config);
  const result = emptyRoleAttention(senders.length);
  const layers = [...new Set(nameMovers.map(({ layer }) => layer))].sort((a, b) => a - b);
  const last = layers.at(-1) ?? 0;
  const reaching = senders.map((_, i) => i).filter((i) => senders[i]!.layer < last);
  if (reaching.length === 0) return result;
  let done = 0;
  const prompts = pairs.map(({ clean }) => clean);
  for (const { places } of batchesByLength(prompts, 32)) {
    const batch = await openBatch(
      model,
      places.map((place) => pairs[place]!),
      call.signal,
    );
    const size = Math.max(1, Math.floor(waveTokens / (batch.orig.positions * places.length)));
    for (let start = 0; start < reaching.length; start += size) {
      throwIfCancelled(call.signal);
      const chunk = reaching.slice(start, start + size);
      const chosen = chunk.map((i) => senders[i]!);
      const sent = await sendRows(batch, chosen, { stops: layers, freezeMlps: false, signal: call.signal });
      const by = 1 / (pairs.length * nameMovers.length);
      for (const layer of layers) {
        const heads = nameMovers.filter((mover) => mover.layer === layer).map(({ head }) => head);
        await addChanges(batch, { layer, heads, stream: sent.get(layer)!, chunk, by }, result);
      }
    }
    done += places.length;
    call.report?.({ done, total: pairs.length, what: 'Attention of the name movers' });
  }
  return result;
}

async function openBatch(
  model: Transformer,
  pairs: readonly TokenPair[],
  signal?: AbortSignal,
): Promise<PathBatch> {
  const of = (which: 'clean' | 'corrupted') =>
    BaseRun.of(
      model,
      pairs.map((pair) => pair[which]),
      signal,
    );
  const positions = pairs.map((pair) => [positionOf(pair, 'END')]);
  return { pairs, orig: await of('clean'), fresh: await of('corrupted'), positions };
}

interface Receiving {
  readonly layer: number;
  readonly heads: readonly number[];
  /** What enters the layer at END: `[sender·pair, 1, d_model]`. */
  readonly stream: FloatValue;
  readonly chunk: readonly number[];
  readonly by: number;
}

async function addChanges(
  { orig, pairs, positions }: PathBatch,
  { layer, heads, stream, chunk, by }: Receiving,
  result: RoleAttention,
): Promise<void> {
  const { model } = orig;
  const feeds = { [names.residual]: stream };
  const values = (await model.stages.part({ layer, feeds, outputs: ['attn.hook_q'] }))['attn.hook_q']!;
  const ends = positions.map(([end]) => end!);
  const edit = overwriteHeads({
    layer,
    hook: 'attn.hook_q',
    heads,
    positions: ends,
    length: orig.positions,
    values,
  });
  const hook = blockHookName(layer, 'attn.hook_pattern');
  const residual = repeatRows(orig.residual(layer) as FloatValue, chunk.length);
  const patched = await model.run({
    from: { layer, residual },
    edits: [edit],
    capture: [hook],
    stopAtLayer: layer + 1,
  });
  const [before, after] = [await orig.hook(layer, 'attn.hook_pattern'), patched.hooks.get(hook)!];
  chunk.forEach((sender, i) => {
    pairs.forEach((pair, row) => {
      for (const head of heads) {
        for (const role of attendedRoles) {
          const change =
            attentionFromEnd(after, i * pairs.length + row, head, pair, role) -
            attentionFromEnd(before, row, head, pair, role);
          result[role][sender]! += by * change;
        }
      }
    });
  });
}
