/** What differs between two circuits, as a list: nodes, then edges, the largest differences first. */

import type { JSX } from 'preact';
import { useMemo, useRef } from 'preact/hooks';
import type { Change, CircuitDifference } from '../../src/shared/circuitDifference.ts';
import { formatSigned } from '../../src/shared/format.ts';
import { rovingIndex } from '../lib/keys.ts';
import { Note } from '../lib/message.tsx';
import { say, strings } from '../lib/strings.ts';
import { palette } from '../lib/theme.ts';
import { TokenText } from '../lib/tokenText.tsx';
import { changeSigns, type Mark } from '../marks/circuitMark.ts';
import { largestEffect, NodeGlyph, shareOf } from '../marks/nodeGlyph.tsx';
import { SignedBar } from '../marks/signedBarList.tsx';
import { pickMark } from './circuitKeys.ts';
import type { CircuitStore } from './circuitStore.ts';
import type { DifferencePicture } from './comparison.ts';
import { nodeTitle } from './nodeName.ts';

/** Differences of each kind that are listed. */
const mostListed = 150;

/** One line. */
interface Line {
  readonly key: string;
  readonly change: Change;
  readonly before: number | undefined;
  readonly after: number | undefined;
  readonly mark: Mark;
  /** Of edges: where it leads to. */
  readonly target?: Mark;
}

/** The list. */
export function DifferenceList(props: {
  readonly store: CircuitStore;
  readonly picture: DifferencePicture;
}): JSX.Element {
  const { store, picture } = props;
  const list = useRef<HTMLDivElement>(null);
  const lines = useMemo(() => differenceLines(picture), [picture]);
  if (lines.nodes.length + lines.edges.length === 0) {
    return (
      <div class="graph-none">
        <Note text={strings.differencesNone} />
      </div>
    );
  }
  const onKeyDown = (event: KeyboardEvent): void => {
    const rows = [...(list.current?.querySelectorAll<HTMLElement>('.difference-row') ?? [])];
    const next = rovingIndex(
      event.key,
      rows.indexOf(event.currentTarget as HTMLElement),
      rows.length,
      'vertical',
    );
    if (next === undefined || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    rows[next]?.focus();
  };
  const shared = { store, picture, onKeyDown };
  return (
    <section class="list differences" ref={list} aria-label={strings.differencesLabel}>
      <Section {...shared} title={strings.differencesNodes} lines={lines.nodes} isFirst />
      <Section
        {...shared}
        title={strings.differencesEdges}
        lines={lines.edges}
        isFirst={lines.nodes.length === 0}
      />
    </section>
  );
}

function Section(props: {
  readonly store: CircuitStore;
  readonly picture: DifferencePicture;
  readonly title: string;
  readonly lines: readonly Line[];
  readonly isFirst: boolean;
  readonly onKeyDown: (event: KeyboardEvent) => void;
}): JSX.Element | null {
  const { lines, picture } = props;
  if (lines.length === 0) return null;
  const largest = lines[0]!.target
    ? Math.max(...lines.map(({ before, after }) => Math.max(Math.abs(before ?? 0), Math.abs(after ?? 0))))
    : largestEffect(picture.graph.nodes);
  const rest = lines.length - mostListed;
  return (
    <section>
      <h2 class="difference-heading">
        <span>
          {props.title} <span class="list-count">{lines.length}</span>
        </span>
        <span class="quiet small" aria-hidden="true">
          {strings.columnBefore} → {strings.columnAfter}
        </span>
      </h2>
      <ul>
        {lines.slice(0, mostListed).map((line, i) => (
          <li key={line.key}>
            <Row {...props} line={line} largest={largest} isTabStop={props.isFirst && i === 0} />
          </li>
        ))}
      </ul>
      {rest > 0 && <p class="quiet small difference-more">{say('differenceMore', { count: rest })}</p>}
    </section>
  );
}

function Row(props: {
  readonly store: CircuitStore;
  readonly picture: DifferencePicture;
  readonly line: Line;
  readonly largest: number;
  readonly isTabStop: boolean;
  readonly onKeyDown: (event: KeyboardEvent) => void;
}): JSX.Element {
  const { store, line, picture } = props;
  const { mark, target } = line;
  const share = shareOf((line.after ?? 0) - (line.before ?? 0), props.largest);
  return (
    <button
      type="button"
      class="list-row difference-row"
      data-node={mark.id}
      aria-pressed={!target && store.selected.value === mark.id}
      tabIndex={props.isTabStop ? 0 : -1}
      onClick={(event) => pickMark(store, mark.id, event)}
      onKeyDown={props.onKeyDown}
      onMouseEnter={() => store.hover(mark.id)}
      onMouseLeave={() => store.hover(undefined)}
    >
      <span class="sr-only">{lineLabel(line)}</span>
      <span class="difference-parts" aria-hidden="true">
        <b class="change-sign">{changeSigns[line.change]}</b>
        <NodeGlyph node={mark} share={share} palette={palette.value} />
        <span class="list-name">
          <span class="list-title">
            {nodeTitle(mark)} {target && <> → {nodeTitle(target)}</>}{' '}
            {!picture.graph.isAggregated && (
              <span class="quiet">
                <TokenText text={picture.graph.tokens[(target ?? mark).position]?.text ?? ''} />
              </span>
            )}
          </span>
        </span>
        <SignedBar share={share} />
        <span class="bar-value">
          <span class="quiet">{valueText(line.before)} → </span>
          {valueText(line.after)}
        </span>
      </span>
    </button>
  );
}

function valueText(value: number | undefined): string {
  return value === undefined ? strings.notMeasured : formatSigned(value);
}

function lineLabel({ change, mark, target, before, after }: Line): string {
  const values = {
    change: changeWord(change),
    before: valueText(before),
    after: valueText(after),
  };
  if (!target) return say('differenceRow', { ...values, name: nodeTitle(mark) });
  return say('differenceEdgeRow', { ...values, source: nodeTitle(mark), target: nodeTitle(target) });
}

function changeWord(change: Change): string {
  const words = {
    added: strings.changeAdded,
    removed: strings.changeRemoved,
    changed: strings.compareChanged,
    same: strings.compareSame,
  };
  return words[change].replace(/^, /, '');
}

/** The differing nodes and edges, the largest differences first. */
export function differenceLines(picture: DifferencePicture): {
  readonly nodes: readonly Line[];
  readonly edges: readonly Line[];
} {
  const marks = new Map(picture.difference.nodes.map(({ key }, i) => [key, picture.drawing.marks[i]!]));
  const nodes = picture.difference.nodes
    .filter(({ change }) => change !== 'same')
    .map(({ key, change, before, after }): Line => {
      return { key, change, before: before?.effect, after: after?.effect, mark: marks.get(key)! };
    });
  const edges = picture.difference.edges
    .filter(({ change }) => change !== 'same')
    .map(({ source, target, change, before, after }): Line => {
      const key = `${source}→${target}`;
      return { key, change, before, after, mark: marks.get(source)!, target: marks.get(target)! };
    });
  return { nodes: nodes.sort(largestFirst), edges: edges.sort(largestFirst) };
}

function largestFirst(a: Line, b: Line): number {
  const moved = ({ before, after }: Line): number => Math.abs((after ?? 0) - (before ?? 0));
  return moved(b) - moved(a);
}

/** How many nodes there are of each change. */
export function countChanges(difference: CircuitDifference): Readonly<Record<Change, number>> {
  const counts = { added: 0, removed: 0, changed: 0, same: 0 };
  for (const { change } of difference.nodes) counts[change]++;
  return counts;
}
