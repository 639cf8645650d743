/** Names of the layers at the left of a circuit's graph and of its columns at the bottom; they move with the plane but never leave. */

import type { JSX } from 'preact';
import { say, strings } from '../lib/strings.ts';
import { TokenText } from '../lib/tokenText.tsx';
import type { CircuitLayout } from './circuitLayout.ts';
import type { View } from './planeView.ts';

/** What the axes name. */
export interface AxesProps {
  readonly layout: CircuitLayout;
  readonly view: View;
  readonly nLayers: number;
  /** Text under a column: a token, or with `isPlain` a word. */
  readonly columnName: (column: number) => string;
  readonly isPlain: boolean;
  /** Column of the token that is selected in the editor. */
  readonly current: number;
}

/** Both axes. */
export function Axes(props: AxesProps): JSX.Element {
  const { layout, view } = props;
  return (
    <>
      <div class="axis-layers" aria-hidden="true">
        {layout.bands
          .filter((band) => !band.empty)
          .map((band) => (
            <span
              key={band.layer}
              style={{ top: `${band.top * view.scale + view.y}px`, height: `${band.height * view.scale}px` }}
            >
              {bandName(band.layer, props.nLayers, props.isPlain)}
            </span>
          ))}
      </div>
      <div class="axis-tokens" aria-hidden="true">
        {layout.columns.map((column) => (
          <ColumnName key={column.position} {...props} column={column} />
        ))}
      </div>
    </>
  );
}

function ColumnName(props: AxesProps & { readonly column: CircuitLayout['columns'][number] }): JSX.Element {
  const { column, view } = props;
  const left = column.left * view.scale + view.x;
  const width = column.width * view.scale;
  const current = column.position === props.current;
  const name = props.columnName(column.position);
  return (
    <span>
      <i
        class={current ? 'column column-current' : 'column'}
        style={{ left: `${left - 2}px`, width: `${width + 4}px` }}
      />
      {column.skipped > 0 && (
        <i
          class="gap"
          title={say('gap', { count: column.skipped })}
          style={{ left: `${left - 20 * view.scale}px` }}
        >
          ⋯
        </i>
      )}
      <b
        class={current ? 'column-token column-token-current' : 'column-token'}
        style={{ left: `${left}px`, width: `${width}px` }}
      >
        {props.isPlain ? <span class="quiet">{name}</span> : <TokenText text={name} />}
      </b>
    </span>
  );
}

/** The name of a layer's band; below the first are the tokens, or all of them where nodes stand for all positions. */
export function bandName(layer: number, nLayers: number, hasSites: boolean): string {
  if (layer < 0) return hasSites ? strings.bandEmbeddings : strings.bandTokens;
  return layer >= nLayers ? strings.bandLogits : say('bandLayer', { layer });
}
