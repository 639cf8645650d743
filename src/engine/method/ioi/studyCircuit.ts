/** The circuit of a study: that of the classes, and the one found by elimination with the paper's three criteria. */
import type { CallOptions } from '../../../shared/engineApi.ts';
import type {
  IoiHeadClass,
  IoiStudy,
  IoiStudyRequest,
  IoiThresholds,
  StudyParts,
} from '../../../shared/study.ts';
import type { Random } from '../../random.ts';
import { type CriteriaRequest, circuitCompleteness, circuitMinimality } from './circuitCriteria.ts';
import { everyNode, nodesOfClasses } from './circuitNodes.ts';
import type { HeadClasses } from './classifyHeads.ts';
import { eliminateNodes } from './eliminateNodes.ts';
import { headIndex } from './ioiTask.ts';
import { type CircuitNode, KnockOutRuns, onlyCircuit, withoutNodes } from './knockOuts.ts';
import { type StudyContext, studyDefaults } from './studyContext.ts';
import type { StudyStages } from './studyStages.ts';

export interface CircuitSettings {
  readonly classes: HeadClasses;
  readonly request: IoiStudyRequest;
  readonly limits: IoiThresholds;
  readonly random: Random;
}

/** @throws cancelled */
export async function studyCircuit(
  { model, task }: StudyContext,
  { classes, request, limits, random }: CircuitSettings,
  stages: StudyStages,
  call: CallOptions,
): Promise<void> {
  if (stages.parts.completeness) return;
  const { circuitPairs, randomSets, greedy } = { ...studyDefaults, ...request };
  const runs = await KnockOutRuns.of(model, task.pairs, { count: circuitPairs, signal: call.signal });
  const F = (nodes: readonly CircuitNode[]) => runs.logitDifference(onlyCircuit(nodes), call.signal);
  const whole = await stages.run('whole', async () => ({
    model: await runs.logitDifference(withoutNodes([]), call.signal),
    empty: await F([]),
    ofClasses: await F(nodesOfClasses(model.config, classes)),
  }));
  const eliminated = await eliminateNodes(
    runs,
    {
      model: whole.model,
      ...limits,
      from: stages.parts.elimination,
      keep: (state) => stages.keep('elimination', state),
    },
    call,
  );
  stages.keep('elimination', eliminated.state);
  const { nodes, sets } = eliminated;
  const classOf = (node: { layer: number; head: number }): IoiHeadClass | 'other' =>
    classes[headIndex(model.config, node)] ?? 'other';
  const { nodeEffect } = limits;
  const values = new Map<string, number>();
  const common = { model: whole.model, randomSets, greedy, nodeEffect, sets, classOf, random, values };
  const minimal = await stages.run('minimality', async () => {
    const found = await minimalCircuit(runs, { ...common, nodes }, call);
    return { ...found, circuit: await F(found.nodes) };
  });
  const criteria = { ...common, nodes: minimal.nodes as readonly CircuitNode[] };
  await stages.run('completeness', () => circuitCompleteness(runs, criteria, call));
}

/** Elimination keeps nodes that only steady F together; those that matter for no set by themselves go here, one by one. */
async function minimalCircuit(runs: KnockOutRuns, criteria: CriteriaRequest, call: CallOptions) {
  let { nodes } = criteria;
  for (;;) {
    const minimality = await circuitMinimality(runs, { ...criteria, nodes }, call);
    const weakest = minimality.reduce(
      (least, one) => (one.effect < least.effect ? one : least),
      minimality[0]!,
    );
    if (!weakest || weakest.effect >= criteria.nodeEffect) return { nodes, minimality };
    nodes = nodes.filter((node) => node !== weakest.node);
  }
}

/** The circuit as the report has it; its criteria are there once they have been measured. */
export function studiedCircuit(
  sizes: Parameters<typeof everyNode>[0],
  { whole, minimality, completeness }: StudyParts,
  classes: HeadClasses,
): Pick<IoiStudy, 'circuit' | 'classCircuit'> {
  if (!whole) return {};
  const apart = (other: number) => Math.abs(whole.model - other) / Math.abs(whole.model);
  const nodes = nodesOfClasses(sizes, classes);
  const classCircuit = { nodes, circuit: whole.ofClasses, unfaithfulness: apart(whole.ofClasses) };
  if (!minimality) return { classCircuit };
  return {
    circuit: {
      nodes: minimality.nodes,
      allNodes: everyNode(sizes).length,
      model: whole.model,
      circuit: minimality.circuit,
      empty: whole.empty,
      unfaithfulness: apart(minimality.circuit),
      completeness: completeness ?? { random: [], byClass: [] },
      minimality: minimality.minimality,
    },
    classCircuit,
  };
}
