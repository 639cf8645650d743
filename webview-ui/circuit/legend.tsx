/** What the marks and lines of a circuit mean. */

import type { JSX } from 'preact';
import type { CircuitNodeKind } from '../../src/shared/circuit.ts';
import { say, strings } from '../lib/strings.ts';
import { changeSigns, type Mark } from '../marks/circuitMark.ts';
import { glyphPaths } from '../marks/nodeGlyph.tsx';
import { isTranscoderError, kindName } from './nodeName.ts';

const explained: readonly CircuitNodeKind[] = [
  'token',
  'feature',
  'neuron',
  'head',
  'mlp',
  'error',
  'bias',
  'logit',
];

/** Kinds that are in the picture, and the two signs of an edge; of two circuits, the signs of changes instead. */
export function Legend(props: {
  readonly marks: readonly Mark[];
  readonly otherTitle?: string;
}): JSX.Element {
  const kinds = new Set(props.marks.map(({ kind, members }) => (members ? undefined : kind)));
  const title = props.otherTitle;
  return (
    <div class={`graph-legend small quiet${title === undefined ? '' : ' legend-changes'}`}>
      {explained
        .filter((kind) => kinds.has(kind))
        .map((kind) => (
          <span key={kind} class={isEnd(kind) ? 'legend-kind legend-end' : 'legend-kind'}>
            <svg viewBox="-11 -11 22 22" width="14" height="14" aria-hidden="true" focusable="false">
              <path
                d={glyphPaths[kind]}
                fill={kind === 'error' ? 'none' : 'currentColor'}
                stroke="currentColor"
                stroke-width="1.6"
              />
            </svg>
            {kind === 'error' && props.marks.some(isTranscoderError)
              ? strings.kindTranscoderError
              : kindName(kind)}
          </span>
        ))}
      {title === undefined ? (
        <>
          <Line name={strings.legendPositive} />
          <Line name={strings.legendNegative} isNegative />
        </>
      ) : (
        <>
          <ChangeSign sign={changeSigns.added} text={say('compareAdded', { title })} />
          <ChangeSign sign={changeSigns.removed} text={say('compareRemoved', { title })} />
          <ChangeSign sign={changeSigns.changed} text={strings.compareChanged} />
        </>
      )}
    </div>
  );
}

/** The axis names them too; where room is short, it does alone. */
function isEnd(kind: CircuitNodeKind): boolean {
  return kind === 'token' || kind === 'logit';
}

function ChangeSign({ sign, text }: { readonly sign: string; readonly text: string }): JSX.Element {
  return (
    <span>
      <b class="change-sign">{sign}</b>
      {text}
    </span>
  );
}

function Line({ name, isNegative }: { readonly name: string; readonly isNegative?: boolean }): JSX.Element {
  return (
    <span>
      <svg class="legend-line" viewBox="0 0 24 6" width="24" height="6" aria-hidden="true" focusable="false">
        <path
          class={isNegative ? 'edge edge-negative' : 'edge'}
          style={{ '--width': '2.5' }}
          d="M0 3h24"
          stroke-dasharray={isNegative ? '6 4' : undefined}
        />
      </svg>
      {name}
    </span>
  );
}
