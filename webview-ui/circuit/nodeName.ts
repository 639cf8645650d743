/** How nodes are called: in full for lists and cards, short beside their mark. Pure. */

import type { CircuitGraph, CircuitNode, CircuitNodeKind } from '../../src/shared/domain.ts';
import { formatHead, formatSigned } from '../../src/shared/format.ts';
import type { ViewStrings } from '../../src/shared/viewStrings.ts';
import { say, strings } from '../lib/strings.ts';
import { labelText, spokenToken } from '../lib/tokenText.tsx';

const kindKeys: Readonly<Record<CircuitNodeKind, keyof ViewStrings>> = {
  token: 'kindToken',
  head: 'kindHead',
  mlp: 'kindMlp',
  feature: 'kindFeature',
  error: 'kindError',
  logit: 'kindLogit',
};

/** What kind of thing a node is. */
export function kindName(kind: CircuitNodeKind): string {
  return strings[kindKeys[kind]];
}

/** The node's own name, without its kind: `2.5`, `3`, a feature's label; a token is named by its text. */
function nodeName(node: CircuitNode): string {
  if (node.kind === 'head' && node.head !== undefined) return formatHead(node.layer, node.head);
  if (node.kind === 'mlp' || node.kind === 'error') return String(node.layer);
  if (node.kind === 'token') return '';
  const text = labelText(node.label).trim();
  return text || (node.kind === 'feature' ? `#${node.feature?.index ?? ''}` : '');
}

/** Kind and name: `Head 2.5`, `MLP 3`, a feature's label. */
export function nodeTitle(node: CircuitNode): string {
  if (node.kind === 'feature')
    return nodeName(node) || say('featureName', { index: node.feature?.index ?? '' });
  return `${kindName(node.kind)} ${nodeName(node)}`;
}

/** At most `length` characters, for beside the mark. */
export function shortName(node: CircuitNode, length: number): string {
  const name = node.kind === 'mlp' || node.kind === 'error' ? nodeTitle(node) : nodeName(node);
  const characters = [...name];
  return characters.length > length ? `${characters.slice(0, length - 1).join('')}…` : name;
}

/** Everything about a node in one sentence, for screen readers. */
export function nodeLabel(
  node: CircuitNode,
  graph: CircuitGraph,
  marks: { readonly underToken: boolean; readonly pinned: boolean },
): string {
  let label = say('nodeLabel', {
    kind: kindName(node.kind),
    name: nodeName(node),
    token: spokenToken(graph.tokens[node.position]?.text ?? ''),
    position: node.position,
    effect: formatSigned(node.effect),
  });
  if (marks.underToken) label += strings.nodeUnderToken;
  if (marks.pinned) label += strings.nodePinned;
  return label;
}
