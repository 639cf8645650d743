/**
 * The circuit by elimination: all nodes of the model with those taken away that do not matter. The paper picks its nodes by
 * hand from path patching (Wang et al. 2022, §4); the search makes no use of classes, as small models solve the task in
 * other ways. How far it has come is plain data, from which it can go on.
 */
import type { CallOptions } from '../../../shared/engineApi.ts';
import type { EliminationState } from '../../../shared/study.ts';
import { everyNode } from './circuitNodes.ts';
import { type CircuitNode, type KnockOutRuns, onlyCircuit, type Streams, withoutNodes } from './knockOuts.ts';

export interface EliminationRequest {
  /** F(M). */
  readonly model: number;
  /** A node goes when F changes by less than this share of |F(M)| … */
  readonly nodeEffect: number;
  /** … and stays within this share of F(M). */
  readonly faithfulness: number;
  /** Where an earlier search was stopped. */
  readonly from?: EliminationState;
  /** Told from time to time how far it has come. */
  readonly keep?: (state: EliminationState) => void;
}

export interface Elimination {
  readonly nodes: readonly CircuitNode[];
  /** The sets K without which every node was tried. */
  readonly sets: readonly (readonly CircuitNode[])[];
  readonly state: EliminationState;
}

/** Trials between two reports of the state. */
const reportEvery = 8;

/** Most nodes that are tried together. */
const largestGroup = 64;

/**
 * Takes nodes away, those first that matter least by themselves, until none can go. A node can go when it does not matter
 * to the circuit, nor to the circuit without its strongest nodes: what only takes over for others belongs to it as well.
 * Nodes that hardly matter by themselves are tried in groups, which have to keep the same bounds together.
 * @throws cancelled
 */
export async function eliminateNodes(
  runs: KnockOutRuns,
  request: EliminationRequest,
  call: CallOptions = {},
): Promise<Elimination> {
  const all = everyNode(runs.model.config);
  let state = request.from ?? (await firstState(runs, all, call));
  if (!request.from) request.keep?.(state);
  const nodesOf = (places: readonly number[]) => places.map((place) => all[place]!);
  const sets = strongSets(state.order);
  const settings = state.before === undefined ? [] : await openSettings(runs, { all, state, sets }, call);
  let trials = 0;
  while (state.before !== undefined) {
    state = await nextState(runs, { all, state, settings, request }, call.signal);
    if (++trials % reportEvery === 0) request.keep?.(state);
    const total = state.before ?? state.kept.length;
    call.report?.({ done: total - state.open.length, total, what: `Circuit of ${state.kept.length} nodes` });
  }
  const kept = [...state.kept].sort((a, b) => a - b);
  return { nodes: nodesOf(kept), sets: sets.map(nodesOf), state };
}

/** What settings remove: nothing, the strongest node, the second, the strongest three. Places in the order of effects. */
function strongSets(order: readonly number[]): readonly (readonly number[])[] {
  return [[], order.slice(-1), order.slice(-2, -1), order.slice(-3)];
}

/** All nodes, ordered by what their removal from all nodes changes, weakest first. */
async function firstState(
  runs: KnockOutRuns,
  all: readonly CircuitNode[],
  { signal, report }: CallOptions,
): Promise<EliminationState> {
  const whole = await runs.run(onlyCircuit(all), { signal });
  const found: { readonly place: number; readonly effect: number }[] = [];
  for (const [place, node] of all.entries()) {
    const rest = all.filter((other) => other !== node);
    const from = { layer: node.layer, streams: whole.streams };
    const { value } = await runs.run(onlyCircuit(rest), { from, signal });
    found.push({ place, effect: Math.abs(value - whole.value) });
    report?.({ done: found.length, total: all.length, what: 'Effects of nodes' });
  }
  found.sort((a, b) => a.effect - b.effect);
  const order = found.map(({ place }) => place);
  const effects = found.map(({ effect }) => effect);
  return { order, effects, kept: order, open: order, size: 4, before: order.length };
}

/** The circuit with a set K of its strongest nodes removed: what else matters shows only there. */
interface Setting {
  readonly removed: ReadonlySet<number>;
  /** F(M∖K). */
  readonly model: number;
  /** F(C∖K) and its streams. */
  now: { readonly value: number; readonly streams: Streams };
}

async function openSettings(
  runs: KnockOutRuns,
  work: {
    readonly all: readonly CircuitNode[];
    readonly state: EliminationState;
    readonly sets: readonly (readonly number[])[];
  },
  { signal }: CallOptions,
): Promise<Setting[]> {
  const { all, state, sets } = work;
  const settings: Setting[] = [];
  for (const set of sets) {
    const removed = new Set(set);
    const model = await runs.logitDifference(withoutNodes(set.map((place) => all[place]!)), signal);
    const rest = state.kept.filter((place) => !removed.has(place)).map((place) => all[place]!);
    settings.push({ removed, model, now: await runs.run(onlyCircuit(rest), { signal }) });
  }
  return settings;
}

interface Trial {
  readonly all: readonly CircuitNode[];
  readonly state: EliminationState;
  readonly settings: readonly Setting[];
  readonly request: EliminationRequest;
}

/** One trial: a group goes or is tried in smaller ones; a single node goes or stays. A pass that took nothing is the last. */
async function nextState(runs: KnockOutRuns, trial: Trial, signal?: AbortSignal): Promise<EliminationState> {
  const { state, settings } = trial;
  if (state.open.length === 0) {
    const { before: _, ...last } = state;
    if (state.kept.length === state.before) return last;
    const kept = new Set(state.kept);
    const open = state.order.filter((place) => kept.has(place));
    return { ...state, open, size: 1, before: state.kept.length };
  }
  const group = nextGroup(trial);
  const without = await withoutGroup(runs, trial, group, signal);
  if (!without) {
    if (group.length > 1) return { ...state, size: Math.floor(group.length / 2) };
    return { ...state, open: state.open.slice(1), size: 1 };
  }
  settings.forEach((setting, at) => {
    setting.now = without[at]!;
  });
  const kept = state.kept.filter((place) => !group.includes(place));
  const size = Math.min(largestGroup, 2 * group.length);
  return { ...state, kept, open: state.open.slice(group.length), size };
}

/** The next open nodes that hardly matter by themselves, or one that does: strong effects could cancel in a group. */
function nextGroup({ state, request }: Trial): readonly number[] {
  const limit = request.nodeEffect * Math.abs(request.model);
  const effects = new Map(state.order.map((place, i) => [place, state.effects[i]!]));
  const group = state.open.slice(0, Math.max(1, state.size));
  const strong = group.findIndex((place) => effects.get(place)! >= limit);
  return strong < 0 ? group : group.slice(0, Math.max(1, strong));
}

/** What every setting becomes without some nodes; undefined when they matter to one of them. */
async function withoutGroup(
  runs: KnockOutRuns,
  { all, state, settings, request }: Trial,
  group: readonly number[],
  signal?: AbortSignal,
): Promise<Setting['now'][] | undefined> {
  const limit = Math.abs(request.model);
  const result: Setting['now'][] = [];
  for (const { removed, model, now } of settings) {
    const gone = group.filter((place) => !removed.has(place));
    if (gone.length === 0) {
      result.push(now);
      continue;
    }
    const rest = state.kept.filter((place) => !gone.includes(place) && !removed.has(place));
    const layer = Math.min(...gone.map((place) => all[place]!.layer));
    const without = await runs.run(onlyCircuit(rest.map((place) => all[place]!)), {
      from: { layer, streams: now.streams },
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
