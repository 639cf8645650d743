/** The circuit of a study: that of the classes, and the one found by elimination with the paper's three criteria. */
import type { CallOptions } from '../../../shared/engineApi.ts';
import type {
  HeldOutCriteria,
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
import { type CircuitNode, KnockOutRuns, nodeKey, onlyCircuit, withoutNodes } from './knockOuts.ts';
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
  const { circuitPairs, randomSets, greedy } = { ...studyDefaults, ...request };
  const heldOut = heldOutPairs(task.pairs.length, circuitPairs);
  if (stages.parts.completeness && (stages.parts.heldOut || heldOut === 0)) return;
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
  if (heldOut === 0) return;
  const others = runs.onPairs(circuitPairs, heldOut);
  const shown = minimal.minimality.map(({ removed }) => {
    const out = new Set((removed as readonly CircuitNode[]).map(nodeKey));
    return criteria.nodes.filter((node) => out.has(nodeKey(node)));
  });
  await stages.run('heldOut', () => heldOutCriteria(others, { ...criteria, sets: shown }, heldOut, call));
}

/** Pairs behind those that the circuit is found on: as many again, or those that are left when they are not too few. */
export function heldOutPairs(pairs: number, circuitPairs: number): number {
  const left = Math.min(circuitPairs, pairs - circuitPairs);
  return left >= Math.min(leastHeldOut, circuitPairs) ? left : 0;
}

const leastHeldOut = 10;

/** The three criteria where nothing was chosen: with the sets that showed the nodes to matter, the same random ones, and values of their own. */
async function heldOutCriteria(
  runs: KnockOutRuns,
  found: CriteriaRequest,
  pairs: number,
  call: CallOptions,
): Promise<HeldOutCriteria> {
  const F = (nodes: readonly CircuitNode[]) => runs.logitDifference(onlyCircuit(nodes), call.signal);
  const model = await runs.logitDifference(withoutNodes([]), call.signal);
  const criteria = { ...found, model, values: new Map<string, number>() };
  return {
    pairs,
    model,
    circuit: await F(found.nodes),
    empty: await F([]),
    minimality: await circuitMinimality(runs, criteria, call),
    completeness: await circuitCompleteness(runs, criteria, call),
  };
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
  { whole, minimality, completeness, heldOut }: StudyParts,
  classes: HeadClasses,
): Pick<IoiStudy, 'circuit' | 'classCircuit'> {
  if (!whole) return {};
  const apart = (other: number, model = whole.model) => Math.abs(model - other) / Math.abs(model);
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
      ...(heldOut && { heldOut: { ...heldOut, unfaithfulness: apart(heldOut.circuit, heldOut.model) } }),
      completeness: completeness ?? { random: [], byClass: [] },
      minimality: minimality.minimality,
    },
    classCircuit,
  };
}
