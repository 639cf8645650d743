/** The circuit of a study: that of the classes, and the one found by elimination with the paper's three criteria. */
import type { CallOptions } from '../../../shared/engineApi.ts';
import type { IoiHeadClass, IoiStudy, IoiStudyRequest, IoiThresholds } from '../../../shared/studyApi.ts';
import type { Random } from '../../random.ts';
import { type CriteriaRequest, circuitCompleteness, circuitMinimality } from './circuitCriteria.ts';
import { eliminateNodes, everyNode, nodesOfClasses } from './circuitNodes.ts';
import type { FoundHeads } from './findHeads.ts';
import { headIndex } from './ioiTask.ts';
import { KnockOutRuns, onlyCircuit, withoutNodes } from './knockOuts.ts';
import { type StudyContext, studyDefaults } from './studyContext.ts';

export interface CircuitSettings {
  readonly request: IoiStudyRequest;
  readonly limits: IoiThresholds;
  readonly random: Random;
}

/** @throws cancelled */
export async function studyCircuit(
  { model, task }: StudyContext,
  { classes }: Pick<FoundHeads, 'classes'>,
  { request, limits, random }: CircuitSettings,
  call: CallOptions,
): Promise<Pick<IoiStudy, 'circuit' | 'classCircuit'>> {
  const { circuitPairs, randomSets, greedy } = { ...studyDefaults, ...request };
  const runs = await KnockOutRuns.of(model, task.pairs, { count: circuitPairs, signal: call.signal });
  const whole = await runs.logitDifference(withoutNodes([]), call.signal);
  const classNodes = nodesOfClasses(model.config, classes);
  const ofClasses = await runs.logitDifference(onlyCircuit(classNodes), call.signal);
  const { nodes, sets } = await eliminateNodes(runs, { model: whole, ...limits }, call);
  const classOf = (node: { layer: number; head: number }): IoiHeadClass | 'other' =>
    classes[headIndex(model.config, node)] ?? 'other';
  const { nodeEffect } = limits;
  const criteria = { nodes, model: whole, randomSets, greedy, nodeEffect, sets, classOf, random };
  const minimal = await minimalCircuit(runs, criteria, call);
  const value = await runs.logitDifference(onlyCircuit(minimal.nodes), call.signal);
  const apart = (other: number) => Math.abs(whole - other) / Math.abs(whole);
  return {
    circuit: {
      nodes: minimal.nodes,
      allNodes: everyNode(model.config).length,
      model: whole,
      circuit: value,
      empty: await runs.logitDifference(onlyCircuit([]), call.signal),
      unfaithfulness: apart(value),
      completeness: await circuitCompleteness(runs, { ...criteria, nodes: minimal.nodes }, call),
      minimality: minimal.minimality,
    },
    classCircuit: { nodes: classNodes, circuit: ofClasses, unfaithfulness: apart(ofClasses) },
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
