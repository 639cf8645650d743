/** What feeds a node and what it feeds, by weight: the connections on its card. */

import type { JSX } from 'preact';
import type { CircuitEdge, CircuitGraph } from '../../src/shared/circuit.ts';
import { formatSigned } from '../../src/shared/format.ts';
import { say, strings } from '../lib/strings.ts';
import { TokenText } from '../lib/tokenText.tsx';
import { SignedBarList, type SignedRow } from '../marks/signedBarList.tsx';
import type { CircuitStore } from './circuitStore.ts';
import { nodeTitle } from './nodeName.ts';

/** Edges listed on each side. */
const shownEdges = 12;

/** Both sides. */
export function Neighbors(props: {
  readonly store: CircuitStore;
  readonly graph: CircuitGraph;
  /** The edges of the picture that the node stands in. */
  readonly edges: readonly CircuitEdge[];
  readonly node: string;
}): JSX.Element {
  return (
    <>
      <Side {...props} side="source" title={strings.cardInputs} />
      <Side {...props} side="target" title={strings.cardOutputs} />
    </>
  );
}

function Side(props: {
  readonly store: CircuitStore;
  readonly graph: CircuitGraph;
  readonly edges: readonly CircuitEdge[];
  readonly node: string;
  readonly side: 'source' | 'target';
  readonly title: string;
}): JSX.Element {
  const { store, graph, side } = props;
  const all = neighborRows(props.edges, props.node, side);
  const rows = all
    .slice(0, shownEdges)
    .map(({ id, weight }): SignedRow | undefined => {
      const other = store.markOf(id);
      if (!other) return undefined;
      const name = nodeTitle(other);
      const token = graph.isAggregated || other.members ? undefined : graph.tokens[other.position]?.text;
      return {
        key: id,
        name: (
          <>
            {name} {token !== undefined && <TokenText text={token} />}
          </>
        ),
        value: weight,
        label: say('cardEdge', { name, value: formatSigned(weight) }),
        onSelect: () => store.select(id),
      };
    })
    .filter((row) => row !== undefined);
  const rest = all.length - shownEdges;
  return (
    <section class="neighbors">
      <h3>
        {props.title} {all.length > 0 && <span class="list-count">{all.length}</span>}
      </h3>
      {rows.length > 0 ? (
        <SignedBarList rows={rows} label={props.title} />
      ) : (
        <p class="small quiet">{strings.cardNone}</p>
      )}
      {rest > 0 && <p class="small quiet">{say('cardMore', { count: rest })}</p>}
    </section>
  );
}

/** The nodes on one side of a node's edges, heaviest edge first. */
export function neighborRows(
  edges: readonly CircuitEdge[],
  node: string,
  side: 'source' | 'target',
): readonly { readonly id: string; readonly weight: number }[] {
  const here = side === 'source' ? 'target' : 'source';
  return edges
    .filter((edge) => edge[here] === node)
    .map((edge) => ({ id: edge[side], weight: edge.weight }))
    .sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight));
}
