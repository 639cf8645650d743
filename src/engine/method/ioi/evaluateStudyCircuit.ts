/**
 * Tests a circuit of the study as the study does (Wang et al. 2022, §4): every head outside it writes its mean over the ABC
 * prompts of the same template, at every position.
 *
 * faithfulness = (F(C) − F(∅)) / (F(M) − F(∅)), and completeness the same of everything outside C.
 */
import type { CircuitEvaluation, CircuitGraph } from '../../../shared/circuit.ts';
import { EngineError } from '../../../shared/errors.ts';
import type { Transformer } from '../../model/transformer.ts';
import type { TokenPair, TokenTask } from '../../task/task.ts';
import { everyNode } from './circuitNodes.ts';
import { ioiRoles, requireIoiTask } from './ioiTask.ts';
import { type CircuitNode, KnockOutRuns, nodeKey, onlyCircuit, withoutNodes } from './knockOuts.ts';
import { studyDefaults } from './studyContext.ts';

/** What all circuits of one task share. */
export interface StudyRuns {
  readonly runs: KnockOutRuns;
  /** F of the whole model, and of no node. */
  readonly full: number;
  readonly empty: number;
  /** Held in memory, about. */
  readonly bytes: number;
}

/** @throws cancelled */
export async function openStudyRuns(
  model: Transformer,
  pairs: readonly TokenPair[],
  count: number,
  signal?: AbortSignal,
): Promise<StudyRuns> {
  const runs = await KnockOutRuns.of(model, pairs, { count, signal });
  const full = await runs.logitDifference(withoutNodes([]), signal);
  const empty = await runs.logitDifference(onlyCircuit([]), signal);
  const floats = runs.means.means.reduce(
    (sum, layers) => sum + layers.reduce((own, { length }) => own + length, 0),
    0,
  );
  return { runs, full, empty, bytes: 4 * floats };
}

/**
 * `kept`: ids of nodes that stay; `runsOf` finds the runs of the task's first pairs, which a slider asks for again and again.
 * @throws request.invalid for a task without roles, or a node of no head; cancelled
 */
export async function evaluateStudyCircuit(
  model: Transformer,
  task: TokenTask,
  { graph, kept }: { readonly graph: CircuitGraph; readonly kept: readonly string[] },
  signal?: AbortSignal,
  runsOf = (count: number): Promise<StudyRuns> => openStudyRuns(model, task.pairs, count, signal),
): Promise<CircuitEvaluation> {
  requireIoiTask(task);
  const ids = new Set(kept);
  const known = new Set(everyNode(model.config).map(nodeKey));
  const nodes = graph.nodes
    .filter(({ id, kind }) => kind === 'head' && ids.has(id))
    .map((node) => placeOf(node, known));
  const asked = graph.method.parameters.circuitPairs;
  const count = typeof asked === 'number' && asked >= 1 ? asked : studyDefaults.circuitPairs;
  const { runs, full, empty } = await runsOf(count);
  const circuit = await runs.logitDifference(onlyCircuit(nodes), signal);
  const complement = await runs.logitDifference(withoutNodes(nodes), signal);
  const share = (value: number) => (value - empty) / (full - empty);
  return {
    faithfulness: share(circuit),
    completeness: share(complement),
    full,
    empty,
    circuit,
    complement,
  };
}

/** A node's id tells its role behind its head; the column that it stands in is only drawn. */
function placeOf(
  { id, layer, head = -1 }: CircuitGraph['nodes'][number],
  known: ReadonlySet<string>,
): CircuitNode {
  const role = [...ioiRoles, 'other' as const].find((name) => id === `${layer}.${head} ${name}`);
  if (role && known.has(nodeKey({ layer, head, role }))) return { layer, head, role };
  const reason = `its node ${id} is no head of this model at a role of the study`;
  throw new EngineError('request.invalid', { what: 'The circuit', reason });
}
