/** The search field of the circuit, and under it what was found. */

import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { CircuitGraph } from '../../src/shared/circuit.ts';
import { formatSigned } from '../../src/shared/format.ts';
import { IconButton } from '../lib/icon.tsx';
import { rovingIndex } from '../lib/keys.ts';
import { say, strings } from '../lib/strings.ts';
import { palette } from '../lib/theme.ts';
import { TokenText } from '../lib/tokenText.tsx';
import type { Mark } from '../marks/circuitMark.ts';
import { largestEffect, NodeGlyph, shareOf } from '../marks/nodeGlyph.tsx';
import type { CircuitSearch } from './circuitSearch.ts';
import { markKind, nodeTitle } from './nodeName.ts';

/** Found nodes that are listed. */
const mostListed = 60;

/** Enter steps to the next one, Shift+Enter to the one before, Arrow Down goes into the list, Escape closes. */
export function SearchBar(props: {
  readonly search: CircuitSearch;
  readonly graph: CircuitGraph;
}): JSX.Element {
  const { search, graph } = props;
  const field = useRef<HTMLInputElement>(null);
  const list = useRef<HTMLUListElement>(null);
  const found = search.found.value;
  const at = search.at.value;
  const isAsked = search.query.value.trim() !== '';

  useEffect(() => {
    field.current?.focus();
    field.current?.select();
  }, []);
  useEffect(() => {
    list.current?.querySelector('[aria-current="true"]')?.scrollIntoView({ block: 'nearest' });
  }, [at]);

  const rows = (): readonly HTMLElement[] => [
    ...(list.current?.querySelectorAll<HTMLElement>('button') ?? []),
  ];
  const onFieldKey = (event: KeyboardEvent): void => {
    if (event.key === 'Enter') search.step(event.shiftKey ? -1 : 1);
    else if (event.key === 'Escape') search.close();
    else if (event.key === 'ArrowDown') rows()[Math.max(0, at)]?.focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const onRowKey = (event: KeyboardEvent): void => {
    const all = rows();
    const index = all.indexOf(event.currentTarget as HTMLElement);
    if (event.key === 'ArrowUp' && index === 0) field.current?.focus();
    else if (event.key === 'Escape') field.current?.focus();
    else {
      const next = rovingIndex(event.key, index, all.length, 'vertical');
      if (next === undefined) return;
      all[next]?.focus();
    }
    event.preventDefault();
    event.stopPropagation();
  };
  const largest = largestEffect(graph.nodes);
  return (
    <search class="search">
      <div class="search-row">
        <input
          ref={field}
          type="text"
          class="search-field"
          aria-label={strings.searchField}
          placeholder={strings.searchField}
          maxLength={100}
          value={search.query.value}
          onInput={(event) => search.look(event.currentTarget.value)}
          onKeyDown={onFieldKey}
        />
        <span class="search-count quiet" role="status">
          {isAsked && countText(found.length, at)}
        </span>
        <IconButton icon="up" label={strings.searchPrevious} onClick={() => search.step(-1)} />
        <IconButton icon="down" label={strings.searchNext} onClick={() => search.step(1)} />
        <IconButton icon="close" label={strings.searchClose} onClick={() => search.close()} />
      </div>
      {found.length > 0 && (
        <ul class="search-results" ref={list} aria-label={strings.searchResults}>
          {found.slice(0, mostListed).map((mark, i) => (
            <li key={mark.id}>
              <button
                type="button"
                class="search-result"
                aria-current={i === at}
                tabIndex={i === Math.max(0, at) ? 0 : -1}
                onClick={() => search.goTo(i)}
                onKeyDown={onRowKey}
              >
                <NodeGlyph node={mark} share={shareOf(mark.effect, largest)} palette={palette.value} />
                <span class="list-title">
                  {nodeTitle(mark)} <Place mark={mark} graph={graph} />
                </span>
                {!search.store.kept.value.has(mark.id) && !mark.change && (
                  <span class="quiet small">{strings.searchPruned}</span>
                )}
                <span class="bar-value">{formatSigned(mark.effect)}</span>
              </button>
            </li>
          ))}
        </ul>
      )}
    </search>
  );
}

function Place({ mark, graph }: { readonly mark: Mark; readonly graph: CircuitGraph }): JSX.Element {
  if (graph.isAggregated || mark.change) {
    return <span class="quiet">{`${markKind(mark)} · ${say('bandLayer', { layer: mark.layer })}`}</span>;
  }
  return (
    <span class="quiet">
      <TokenText text={graph.tokens[mark.position]?.text ?? ''} />
    </span>
  );
}

function countText(count: number, at: number): string {
  if (count === 0) return strings.searchNone;
  return at < 0 ? String(count) : say('searchCount', { at: at + 1, count });
}
