/**
 * The circuit as (head, role) nodes: the classes at the paper's positions (Wang et al. 2022, §4), or all nodes of the model with those
 * taken away that do not matter. The paper picks its nodes by hand from path patching; the search makes no use of classes,
 * as small models solve the task in other ways.
 */
import type { CallOptions } from '../../../shared/engineApi.ts';
import type { IoiHeadClass } from '../../../shared/studyApi.ts';
import type { HeadClasses } from './classifyHeads.ts';
import { allHeads, type IoiRole, ioiRoles } from './ioiTask.ts';
import {
  type CircuitNode,
  type KnockOutRuns,
  nodeKey,
  onlyCircuit,
  type Streams,
  withoutNodes,
} from './knockOuts.ts';

/** Where each class acts. */
export const roleOfClass: Readonly<Record<IoiHeadClass, IoiRole>> = {
  nameMover: 'END',
  negativeNameMover: 'END',
  backupNameMover: 'END',
  direct: 'END',
  sInhibition: 'END',
  induction: 'S2',
  duplicateToken: 'S2',
  previousToken: 'S1+1',
};

type Sizes = Parameters<typeof allHeads>[0];

/** Every head at every role and at all other positions: together they are the whole model. */
export function everyNode(sizes: Sizes): CircuitNode[] {
  return allHeads(sizes).flatMap((place) =>
    [...ioiRoles, 'other' as const].map((role) => ({ ...place, role })),
  );
}

/** The classified heads, each at the position of its class. */
export function nodesOfClasses(sizes: Sizes, classes: HeadClasses): CircuitNode[] {
  return allHeads(sizes).flatMap((place, i) => {
    const found = classes[i];
    return found ? [{ ...place, role: roleOfClass[found] }] : [];
  });
}

export interface EliminationRequest {
  /** F(M). */
  readonly model: number;
  /** A node goes when F changes by less than this share of |F(M)| … */
  readonly nodeEffect: number;
  /** … and stays within this share of F(M). */
  readonly faithfulness: number;
}

export interface Elimination {
  readonly nodes: readonly CircuitNode[];
  /** The sets K without which every node was tried. */
  readonly sets: readonly (readonly CircuitNode[])[];
}

/** The circuit with a set K of its strongest nodes removed: what else matters shows only there. */
interface Setting {
  readonly removed: readonly CircuitNode[];
  /** F(M∖K). */
  readonly model: number;
  /** F(C∖K) and its streams. */
  now: { readonly value: number; readonly streams: Streams };
}

/** What settings remove: nothing, the strongest node, the second, the strongest three. Places in the order of effects. */
function strongSets(order: readonly CircuitNode[]): CircuitNode[][] {
  return [[], order.slice(-1), order.slice(-2, -1), order.slice(-3)];
}

/**
 * Takes nodes away, those first that matter least by themselves, until none can go. A node can go when it does not matter
 * to the circuit, nor to the circuit without its strongest nodes: what only takes over for others belongs to it as well.
 * @throws cancelled
 */
export async function eliminateNodes(
  runs: KnockOutRuns,
  request: EliminationRequest,
  call: CallOptions = {},
): Promise<Elimination> {
  const all = everyNode(runs.model.config);
  const kept = new Map(all.map((node) => [nodeKey(node), node]));
  const order = await nodesByEffect(runs, all, call);
  const settings = await openSettings(runs, all, strongSets(order), call);
  for (let before = kept.size + 1; before > kept.size; ) {
    before = kept.size;
    const open = order.filter((node) => kept.has(nodeKey(node)));
    for (const [i, node] of open.entries()) {
      const without = await withoutNode(runs, { kept, settings, node, request }, call.signal);
      if (without) {
        kept.delete(nodeKey(node));
        settings.forEach((setting, at) => {
          setting.now = without[at]!;
        });
      }
      call.report?.({ done: i + 1, total: open.length, what: `Circuit of ${kept.size} nodes` });
    }
  }
  return {
    nodes: all.filter((node) => kept.has(nodeKey(node))),
    sets: settings.map(({ removed }) => removed),
  };
}

/** Nodes by what their removal from all nodes changes, weakest first. */
async function nodesByEffect(
  runs: KnockOutRuns,
  all: readonly CircuitNode[],
  { signal, report }: CallOptions,
): Promise<CircuitNode[]> {
  const whole = await runs.run(onlyCircuit(all), { signal });
  const effects: { readonly node: CircuitNode; readonly effect: number }[] = [];
  for (const node of all) {
    const rest = all.filter((other) => other !== node);
    const from = { layer: node.layer, streams: whole.streams };
    const { value } = await runs.run(onlyCircuit(rest), { from, signal });
    effects.push({ node, effect: Math.abs(value - whole.value) });
    report?.({ done: effects.length, total: all.length, what: 'Effects of nodes' });
  }
  return effects.sort((a, b) => a.effect - b.effect).map(({ node }) => node);
}

async function openSettings(
  runs: KnockOutRuns,
  all: readonly CircuitNode[],
  sets: readonly (readonly CircuitNode[])[],
  { signal }: CallOptions,
): Promise<Setting[]> {
  const settings: Setting[] = [];
  for (const removed of sets) {
    const model = await runs.logitDifference(withoutNodes(removed), signal);
    const now = await runs.run(onlyCircuit(all.filter((node) => !removed.includes(node))), { signal });
    settings.push({ removed, model, now });
  }
  return settings;
}

interface Trial {
  readonly kept: ReadonlyMap<string, CircuitNode>;
  readonly settings: readonly Setting[];
  readonly node: CircuitNode;
  readonly request: EliminationRequest;
}

/** What every setting becomes without a node; undefined when the node matters to one of them. */
async function withoutNode(
  runs: KnockOutRuns,
  { kept, settings, node, request }: Trial,
  signal?: AbortSignal,
): Promise<Setting['now'][] | undefined> {
  const limit = Math.abs(request.model);
  const result: Setting['now'][] = [];
  for (const { removed, model, now } of settings) {
    if (removed.includes(node)) {
      result.push(now);
      continue;
    }
    const rest = [...kept.values()].filter((other) => other !== node && !removed.includes(other));
    const without = await runs.run(onlyCircuit(rest), {
      from: { layer: node.layer, streams: now.streams },
      signal,
    });
    const apart = Math.abs(without.value - model);
    // Coming nearer to the model is never straying.
    const strays = apart > request.faithfulness * limit && apart > Math.abs(now.value - model);
    if (strays || Math.abs(without.value - now.value) >= request.nodeEffect * limit) return undefined;
    result.push(without);
  }
  return result;
}
