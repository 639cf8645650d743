/** Logit lens: the grid, and the full list of the cell that is selected. */

import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { LogitLens } from '../../src/shared/analysis.ts';
import { formatProbability } from '../../src/shared/format.ts';
import { fill } from '../../src/shared/viewStrings.ts';
import { say, strings } from '../lib/strings.ts';
import { palette } from '../lib/theme.ts';
import { spokenToken, TokenText } from '../lib/tokenText.tsx';
import { BarList } from '../marks/barList.tsx';
import { LensGrid, layerName } from '../marks/lensGrid.tsx';
import { ResourceView } from './resourceView.tsx';
import { TokenHeading } from './tokenHeading.tsx';
import type { TokensStore } from './tokensStore.ts';

/** The tab; the lens is fetched once per run. */
export function LensTab({ store }: { readonly store: TokensStore }): JSX.Element {
  const run = store.state.value?.run;
  useEffect(() => {
    if (run !== undefined) void store.lens.load(run, (signal) => store.host.api.logitLens({}, { signal }));
  }, [run]);
  return (
    <ResourceView state={store.lens.state.value}>{(lens) => <Lens store={store} lens={lens} />}</ResourceView>
  );
}

function Lens({ store, lens }: { readonly store: TokensStore; readonly lens: LogitLens }): JSX.Element {
  const tokens = store.state.value?.strip?.tokens ?? [];
  const last = lens.layers.length - 1;
  const saved = store.lensRow.value;
  const row = saved < 0 || saved > last ? last : saved;
  const shown = tokens.slice(0, lens.cells[0]?.length ?? 0);
  const position = Math.max(0, Math.min(store.selected.value, shown.length - 1));
  const onSelect = useRef((to: number, toRow: number): void => {
    store.lensRow.value = toRow;
    store.selectToken(to);
  }).current;
  const cell = lens.cells[row]?.[position] ?? [];
  const scale = cell[0]?.probability || 1;
  return (
    <div class="lens-tab">
      <LensGrid
        lens={lens}
        tokens={shown}
        palette={palette.value}
        position={position}
        row={row}
        onSelect={onSelect}
      />
      <p class="quiet small">{strings.lensExplain}</p>
      <TokenHeading
        template={fill(strings.lensDetail, { layer: layerName(lens.layers[row] ?? ''), token: '{token}' })}
        text={shown[position]?.text ?? ''}
      />
      <BarList
        rows={cell.map((prediction) => ({
          key: String(prediction.id),
          name: <TokenText text={prediction.text} />,
          share: prediction.probability / scale,
          value: formatProbability(prediction.probability),
          label: say('nextRow', {
            token: spokenToken(prediction.text),
            value: formatProbability(prediction.probability),
          }),
        }))}
      />
    </div>
  );
}
