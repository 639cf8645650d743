/**
 * The circuit of a study as a circuit document. Its positions are the roles of the paper, and its edges the paths that path
 * patching measured: the effect of a sender is shared equally among the receivers that it was measured through together.
 */

import type { CircuitDocument, CircuitEdge, CircuitNode, Supernode } from './circuit.ts';
import type { Provenance, Token } from './domain.ts';
import { classTitles, headClasses, studyHeadName, studyNodeName } from './ioiPaper.ts';
import type { IoiStudy, StudiedHead, StudyHead, StudyNode } from './study.ts';
import type { PromptPairs } from './task.ts';

const roles = ['other', 'IO', 'S1', 'S1+1', 'S2', 'END'] as const;

/** How a circuit of a study names its method. */
export const studyMethod = 'indirect-objects study';

const logitsId = 'logits';

/** `circuitPairs`: how many of the pairs it was tested on. Undefined before the study has a circuit. */
export function studyCircuitDocument(
  study: IoiStudy,
  { pairs, circuitPairs }: { readonly pairs?: PromptPairs; readonly circuitPairs?: number } = {},
): CircuitDocument | undefined {
  const { circuit, heads, provenance } = study;
  if (!circuit) return undefined;
  const nLayers = 1 + heads.reduce((last, { layer }) => Math.max(last, layer), 0);
  const nodes = circuit.nodes.map((node) => circuitNode(node, study));
  const logits: CircuitNode = {
    id: logitsId,
    kind: 'logit',
    layer: nLayers,
    position: roles.indexOf('END'),
    label: 'IO − S',
    effect: circuit.circuit,
  };
  return {
    version: 1,
    prompt: roles.join(' '),
    tokens: roleTokens(),
    nLayers,
    method: {
      name: studyMethod,
      parameters: {
        pairs: study.pairs,
        ...(circuitPairs !== undefined && { circuitPairs }),
        'F(M)': circuit.model,
        'F(C)': circuit.circuit,
        'F(∅)': circuit.empty,
        ...study.thresholds,
      },
    },
    metric: { name: 'mean logit difference, IO − S', clean: circuit.model, baseline: circuit.empty },
    ...(pairs && { pairs }),
    taskMetric: 'logitDifference',
    nodes: [...nodes, logits],
    edges: pathEdges(study),
    provenance: documentProvenance(provenance),
    annotations: { keep: 1, pinned: [], labels: {}, supernodes: classGroups(study) },
  };
}

/** The roles stand for tokens: each is a column of the picture. They are names, so the space between them is none's. */
function roleTokens(): Token[] {
  let start = 0;
  return roles.map((text, id) => {
    const token = { id, text, start, end: start + text.length };
    start = token.end + 1;
    return token;
  });
}

function circuitNode(node: StudyNode, { circuit, heads }: IoiStudy): CircuitNode {
  const found = circuit!.minimality.find((one) => studyNodeName(one.node) === studyNodeName(node));
  const head = heads.find((one) => isSame(one, node));
  // What is lost without a node has no sign; that of the direct path tells who works against the answer.
  const against = node.role === 'END' && (head?.effects.logits ?? 0) > (found?.effect ?? 0) / 2;
  const size = (found?.effect ?? 0) * Math.abs(circuit!.model);
  return {
    id: studyNodeName(node),
    kind: 'head',
    layer: node.layer,
    head: node.head,
    position: Math.max(0, (roles as readonly string[]).indexOf(node.role)),
    label: head?.class
      ? `${studyHeadName(node)} ${classTitles[head.class].toLowerCase()}`
      : studyHeadName(node),
    effect: against ? -size : size,
  };
}

function pathEdges({ circuit, heads, receivers, behaviour }: IoiStudy): CircuitEdge[] {
  const nodesAt = (role: string) => circuit!.nodes.filter((node) => node.role === role);
  const unit = -Math.abs(behaviour.logitDifference);
  const headOf = (node: StudyNode): StudiedHead | undefined => heads.find((one) => isSame(one, node));
  const edges: CircuitEdge[] = nodesAt('END').flatMap((node) => {
    const effect = headOf(node)?.effects.logits ?? 0;
    return effect === 0 ? [] : [{ source: studyNodeName(node), target: logitsId, weight: effect * unit }];
  });
  const add = (
    part: 'q' | 'k' | 'v',
    at: { readonly from: string; readonly to: string },
    all: readonly StudyHead[],
    effectOf: (head: StudiedHead) => number,
  ): void => {
    const targets = nodesAt(at.to).filter((node) => all.some((head) => isSame(head, node)));
    for (const node of nodesAt(at.from)) {
      const head = headOf(node);
      const weight = head ? (effectOf(head) * unit) / all.length : 0;
      if (weight === 0) continue;
      for (const target of targets) {
        if (target.layer <= node.layer) continue;
        edges.push({
          source: studyNodeName(node),
          target: studyNodeName(target),
          weight,
          parts: { [part]: weight },
        });
      }
    }
  };
  add('q', { from: 'END', to: 'END' }, receivers.queries, ({ effects }) => effects.queries);
  add('v', { from: 'S2', to: 'END' }, receivers.values, ({ effects }) => effects.values);
  add('k', { from: 'S1+1', to: 'S2' }, receivers.keys, ({ effects }) => effects.keys);
  return edges;
}

/** Nodes of one class at one role are a group of the picture; `direct` only says that the others do not fit. */
function classGroups({ circuit, heads }: IoiStudy): Supernode[] {
  const classOf = (node: StudyNode) => heads.find((head) => isSame(head, node))?.class;
  const named = headClasses.filter((name) => name !== 'direct');
  return named.flatMap((name) =>
    roles.flatMap((role) => {
      const members = circuit!.nodes.filter((node) => node.role === role && classOf(node) === name);
      if (members.length < 2) return [];
      return [{ id: `${name} ${role}`, label: classTitles[name], nodes: members.map(studyNodeName) }];
    }),
  );
}

function isSame(a: StudyHead, b: StudyHead): boolean {
  return a.layer === b.layer && a.head === b.head;
}

function documentProvenance(provenance: IoiStudy['provenance']): Provenance {
  if (!provenance) {
    const model = { name: '', hash: '' };
    return { version: '', model, saes: [], bos: 'none', precision: '' };
  }
  return { ...provenance, saes: [] };
}
