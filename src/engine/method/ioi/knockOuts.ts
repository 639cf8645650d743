/**
 * Runs a task with heads knocked out at some positions: F(·), the mean logit difference of Wang et al. (2022, §4), of the
 * whole model, of circuits, and of either without a part. A node is a head at the position of one role, or at all
 * positions without one.
 */
import type { HookName } from '../../../shared/domain.ts';
import { throwIfCancelled } from '../../../shared/errors.ts';
import { floatsOf, floatValue, type Value } from '../../graph/value.ts';
import type { HookEdit } from '../../model/edits.ts';
import { blockHookName } from '../../model/hooks.ts';
import { batchesByLength } from '../../model/tokenBatches.ts';
import type { Transformer } from '../../model/transformer.ts';
import { metricValue } from '../../task/metric.ts';
import type { TokenPair } from '../../task/task.ts';
import { type HeadPlace, ioiRoles, type NodeRole } from './ioiTask.ts';
import { type TemplateMeans, templateMeans } from './templateMeans.ts';

/** A head at the position of a role, or at all positions without one. */
export interface CircuitNode extends HeadPlace {
  readonly role: NodeRole;
}

export function nodeKey({ layer, head, role }: CircuitNode): string {
  return `${layer}.${head} ${role}`;
}

/** Which heads are replaced by their means, at which positions. */
export type KnockOut = (node: CircuitNode) => boolean;

/** The circuit runs alone: all but its nodes are knocked out, everywhere. */
export function onlyCircuit(nodes: Iterable<CircuitNode>): KnockOut {
  const kept = new Set([...nodes].map(nodeKey));
  return (node) => !kept.has(nodeKey(node));
}

/** The whole model without some nodes. */
export function withoutNodes(nodes: Iterable<CircuitNode>): KnockOut {
  const out = new Set([...nodes].map(nodeKey));
  return (node) => out.has(nodeKey(node));
}

interface Batch {
  readonly pairs: readonly TokenPair[];
  readonly tokens: readonly Int32Array[];
  /** `[row]` */
  readonly groups: readonly number[];
  /** `[position]` of each row: the roles there. */
  readonly roles: readonly (readonly (readonly NodeRole[])[])[];
}

/** Streams that entered the layers of a run, by batch: a run that differs only later can start from them. */
export type Streams = readonly (readonly (Value | undefined)[])[];

export class KnockOutRuns {
  readonly model: Transformer;
  readonly means: TemplateMeans;
  readonly #batches: readonly Batch[];
  readonly #all: readonly TokenPair[];
  readonly #pairs: number;

  private constructor(
    model: Transformer,
    all: readonly TokenPair[],
    { first, count }: { readonly first: number; readonly count: number },
    means: TemplateMeans,
  ) {
    const pairs = all.slice(first, first + count);
    this.model = model;
    this.means = means;
    this.#all = all;
    this.#pairs = pairs.length;
    const prompts = pairs.map(({ clean }) => clean);
    this.#batches = batchesByLength(prompts, 64).map(({ tokens, places }) => {
      const own = places.map((place) => pairs[place]!);
      const groups = places.map((place) => means.groups[first + place]!);
      return { pairs: own, tokens, groups, roles: own.map(rolesByPosition) };
    });
  }

  /** Means over the corrupted prompts of all pairs, F over the clean ones of the first `count`. @throws cancelled */
  static async of(
    model: Transformer,
    pairs: readonly TokenPair[],
    { count = pairs.length, signal }: { readonly count?: number; readonly signal?: AbortSignal } = {},
  ): Promise<KnockOutRuns> {
    return new KnockOutRuns(model, pairs, { first: 0, count }, await templateMeans(model, pairs, signal));
  }

  /** The same means, with F over the clean prompts of `count` other pairs from `first` on. */
  onPairs(first: number, count: number): KnockOutRuns {
    return new KnockOutRuns(this.model, this.#all, { first, count }, this.means);
  }

  /** F: mean logit difference of the clean prompts under a knock-out. */
  async logitDifference(knockOut: KnockOut, signal?: AbortSignal): Promise<number> {
    return (await this.run(knockOut, { signal })).value;
  }

  /**
   * The same with the streams of the run. `from` starts at a layer with the streams of another run, which has to agree with
   * this knock-out below it.
   */
  async run(
    knockOut: KnockOut,
    {
      from,
      signal,
    }: {
      readonly from?: { readonly layer: number; readonly streams: Streams };
      readonly signal?: AbortSignal;
    } = {},
  ): Promise<{ readonly value: number; readonly streams: Streams }> {
    let sum = 0;
    const streams: (readonly (Value | undefined)[])[] = [];
    const { dVocab } = this.model.config;
    for (const [i, batch] of this.#batches.entries()) {
      throwIfCancelled(signal);
      const layer = from?.layer ?? 0;
      const residual = from?.streams[i]?.[layer];
      const edits = this.#edits(batch, knockOut, layer);
      const start = residual ? { from: { layer, residual } } : { tokens: batch.tokens };
      const result = await this.model.run({ ...start, edits, logits: 'last', signal });
      const logits = floatsOf(result.logits!);
      batch.pairs.forEach((pair, row) => {
        sum += metricValue('logitDifference', logits.subarray(row * dVocab, (row + 1) * dVocab), pair);
      });
      streams.push(result.residuals.map((own, at) => (at < layer ? from?.streams[i]?.[at] : own)));
    }
    return { value: sum / this.#pairs, streams };
  }

  #edits(batch: Batch, knockOut: KnockOut, from: number): HookEdit[] {
    const edits: HookEdit[] = [];
    for (let layer = from; layer < this.model.config.nLayers; layer++) {
      const edit = this.#edit(batch, knockOut, layer);
      if (edit) edits.push(edit);
    }
    return edits;
  }

  /** Undefined when the layer stays whole. */
  #edit({ roles, groups, tokens }: Batch, knockOut: KnockOut, layer: number): HookEdit | undefined {
    const { nHeads, dHead } = this.model.config;
    const length = tokens[0]!.length;
    const keep = new Float32Array(tokens.length * length * nHeads).fill(1);
    const add = new Float32Array(keep.length * dHead);
    let isWhole = true;
    roles.forEach((ofRow, row) => {
      const mean = this.means.means[groups[row]!]![layer]!;
      ofRow.forEach((here, position) => {
        for (let head = 0; head < nHeads; head++) {
          if (!here.every((role) => knockOut({ layer, head, role }))) continue;
          isWhole = false;
          const from = (position * nHeads + head) * dHead;
          const to = row * length * nHeads + position * nHeads + head;
          keep[to] = 0;
          add.set(mean.subarray(from, from + dHead), to * dHead);
        }
      });
    });
    if (isWhole) return undefined;
    const hook: HookName = blockHookName(layer, 'attn.hook_z');
    return {
      hook,
      keep: floatValue(keep, [tokens.length, length, nHeads, 1]),
      add: floatValue(add, [tokens.length, length, nHeads, dHead]),
    };
  }
}

function rolesByPosition({ clean, roles }: TokenPair): NodeRole[][] {
  return Array.from(clean, (_, position) => {
    const here = ioiRoles.filter((role) => roles[role] === position);
    return here.length > 0 ? here : ['other'];
  });
}
