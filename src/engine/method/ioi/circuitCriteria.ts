/**
 * Whether a circuit C explains a model M (Wang et al. 2022, §4), with F the mean logit difference under mean ablation:
 *
 * - faithfulness |F(M) − F(C)|,
 * - completeness: |F(C∖K) − F(M∖K)| is small for every K ⊆ C: random K, K one class, K found greedily,
 * - minimality: for every node v there is a K ⊆ C∖{v} with |F(C∖(K∪{v})) − F(C∖K)| ≥ 1 % of F(M).
 */
import type { CallOptions } from '../../../shared/engineApi.ts';
import type { IoiHeadClass, StudiedCircuit, StudyRemoval } from '../../../shared/study.ts';
import type { Random } from '../../random.ts';
import { type CircuitNode, type KnockOutRuns, nodeKey, onlyCircuit, withoutNodes } from './knockOuts.ts';

export interface CriteriaRequest {
  readonly nodes: readonly CircuitNode[];
  /** F(M). */
  readonly model: number;
  readonly randomSets: number;
  readonly greedy: { readonly runs: number; readonly steps: number; readonly candidates: number };
  readonly nodeEffect: number;
  /** Sets K that are tried first for minimality. */
  readonly sets: readonly (readonly CircuitNode[])[];
  readonly classOf: (node: CircuitNode) => IoiHeadClass | 'other';
  readonly random: Random;
  /** F of the sets that have been run; circuits that differ in a few nodes share most of them. */
  readonly values?: Map<string, number>;
}

export interface NodeMinimality {
  readonly node: CircuitNode;
  /** The set K for which it matters most. */
  readonly removed: readonly CircuitNode[];
  readonly effect: number;
}

/** F(C∖K), and the same for M, each computed once. */
class Removals {
  readonly #known: Map<string, number>;

  constructor(
    private readonly runs: KnockOutRuns,
    private readonly request: CriteriaRequest,
    private readonly signal: AbortSignal | undefined,
  ) {
    this.#known = request.values ?? new Map();
  }

  circuit(removed: readonly CircuitNode[]): Promise<number> {
    const out = new Set(removed.map(nodeKey));
    const rest = this.request.nodes.filter((node) => !out.has(nodeKey(node)));
    return this.#value(`C ${rest.map(nodeKey).sort().join()}`, () =>
      this.runs.logitDifference(onlyCircuit(rest), this.signal),
    );
  }

  async both(removed: readonly CircuitNode[]): Promise<StudyRemoval> {
    const key = `M ${removed.map(nodeKey).sort().join()}`;
    const model = await this.#value(key, () => this.runs.logitDifference(withoutNodes(removed), this.signal));
    const circuit = await this.circuit(removed);
    return {
      removed,
      circuit,
      model,
      incompleteness: Math.abs(circuit - model) / Math.abs(this.request.model),
    };
  }

  async #value(key: string, compute: () => Promise<number>): Promise<number> {
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const value = await compute();
    this.#known.set(key, value);
    return value;
  }
}

/** @throws cancelled */
export async function circuitCompleteness(
  runs: KnockOutRuns,
  request: CriteriaRequest,
  call: CallOptions = {},
): Promise<StudiedCircuit['completeness']> {
  const removals = new Removals(runs, request, call.signal);
  const random: StudyRemoval[] = [];
  for (const set of randomSets(request)) {
    random.push(await removals.both(set));
    call.report?.({ done: random.length, total: request.randomSets, what: 'Completeness, random sets' });
  }
  const byClass: (StudyRemoval & { readonly class: IoiHeadClass | 'other' })[] = [];
  for (const [name, set] of setsByClass(request))
    byClass.push({ ...(await removals.both(set)), class: name });
  const greedy = await greedySet(removals, request, call);
  return { random, byClass, ...(greedy && { greedy }) };
}

/** Each node with probability ½. */
function randomSets({ nodes, randomSets: count, random }: CriteriaRequest): CircuitNode[][] {
  const stream = random.fork('random sets');
  return Array.from({ length: count }, () => nodes.filter(() => stream.next() < 0.5));
}

function setsByClass({
  nodes,
  classOf,
}: CriteriaRequest): ReadonlyMap<IoiHeadClass | 'other', CircuitNode[]> {
  const sets = new Map<IoiHeadClass | 'other', CircuitNode[]>();
  for (const node of nodes) sets.set(classOf(node), [...(sets.get(classOf(node)) ?? []), node]);
  return sets;
}

/**
 * The worst of several greedy searches: from the empty set, the one of some random candidates is added for which
 * |F(C∖K) − F(M∖K)| becomes largest.
 */
async function greedySet(
  removals: Removals,
  { nodes, greedy, random }: CriteriaRequest,
  call: CallOptions,
): Promise<StudyRemoval | undefined> {
  let worst: StudyRemoval | undefined;
  for (let run = 0; run < greedy.runs; run++) {
    const stream = random.fork(`greedy ${run}`);
    let removed: readonly CircuitNode[] = [];
    for (let step = 0; step < greedy.steps && removed.length < nodes.length; step++) {
      const open = stream
        .shuffle(nodes.filter((node) => !removed.includes(node)))
        .slice(0, greedy.candidates);
      let best: StudyRemoval | undefined;
      for (const node of open) {
        const found = await removals.both([...removed, node]);
        if (!best || found.incompleteness > best.incompleteness) best = found;
      }
      removed = best!.removed as readonly CircuitNode[];
      if (!worst || best!.incompleteness > worst.incompleteness) worst = best;
      const done = run * greedy.steps + step + 1;
      call.report?.({ done, total: greedy.runs * greedy.steps, what: 'Completeness, greedy sets' });
    }
  }
  return worst;
}

/**
 * Sets are tried for every node until one shows that it matters; otherwise it is the one for which it matters most.
 * @throws cancelled
 */
export async function circuitMinimality(
  runs: KnockOutRuns,
  request: CriteriaRequest,
  call: CallOptions = {},
): Promise<NodeMinimality[]> {
  const removals = new Removals(runs, request, call.signal);
  const result: NodeMinimality[] = [];
  const sets = randomSets(request);
  for (const node of request.nodes) {
    const others = (of: readonly CircuitNode[]) => of.filter((other) => other !== node);
    const alike = (same: (other: CircuitNode) => boolean) => others(request.nodes.filter(same));
    const tried = [
      [],
      ...request.sets.map((set) => alike((other) => set.includes(other))),
      alike((other) => request.classOf(other) === request.classOf(node)),
      alike((other) => other.role === node.role),
      alike((other) => other.layer === node.layer && other.head === node.head),
      ...sets.slice(0, 6).map(others),
    ];
    let best: NodeMinimality = { node, removed: [], effect: 0 };
    for (const removed of tried) {
      const change = (await removals.circuit([...removed, node])) - (await removals.circuit(removed));
      const effect = Math.abs(change) / Math.abs(request.model);
      if (effect > best.effect) best = { node, removed, effect };
      if (best.effect >= request.nodeEffect) break;
    }
    result.push(best);
    call.report?.({ done: result.length, total: request.nodes.length, what: 'Minimality' });
  }
  return result;
}
