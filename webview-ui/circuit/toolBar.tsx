/** The tools of the circuit: undo, search, compare, export, save. */

import type { JSX } from 'preact';
import type { CircuitState } from '../../src/shared/circuitViewApi.ts';
import { Icon, IconButton } from '../lib/icon.tsx';
import { MenuButton } from '../lib/menu.tsx';
import { strings } from '../lib/strings.ts';
import { labelText } from '../lib/tokenText.tsx';
import type { CircuitSearch } from './circuitSearch.ts';
import type { CircuitStore } from './circuitStore.ts';
import { type ExportKind, exportCircuit } from './exportCircuit.ts';
import { clipText } from './nodeName.ts';

const exports: readonly { readonly id: ExportKind; readonly title: string }[] = [
  { id: 'svg', title: strings.exportSvg },
  { id: 'png', title: strings.exportPng },
  { id: 'fovea', title: strings.exportFovea },
  { id: 'attributionGraph', title: strings.exportAttributionGraph },
  { id: 'eapIg', title: strings.exportEapIg },
  { id: 'autoCircuit', title: strings.exportAutoCircuit },
];

/** The buttons. */
export function ToolBar(props: {
  readonly store: CircuitStore;
  readonly search: CircuitSearch;
  readonly state: CircuitState;
}): JSX.Element {
  const { store, search, state } = props;
  const others = state.openCircuits
    .filter(({ id }) => id !== state.circuit?.id)
    .map(({ id, title }) => ({ id, title: clipText(labelText(title), 48) }));
  return (
    <fieldset class="tools" aria-label={strings.toolsLabel}>
      <IconButton
        icon="undo"
        label={strings.undo}
        title={strings.undoKeys}
        disabled={!state.canUndo}
        onClick={() => store.undo()}
      />
      <IconButton
        icon="redo"
        label={strings.redo}
        title={strings.redoKeys}
        disabled={!state.canRedo}
        onClick={() => store.redo()}
      />
      <IconButton
        icon="search"
        label={strings.search}
        title={strings.searchKeys}
        pressed={search.isOpen.value}
        onClick={() => {
          if (search.isOpen.peek()) search.close();
          else search.isOpen.value = true;
        }}
      />
      <MenuButton
        label={strings.compareMenu}
        items={others}
        none={strings.compareNoOther}
        onChoose={(id) =>
          store.wish(store.host.api.compare({ with: id, as: state.compareAs ?? 'difference' }))
        }
      >
        <Icon name="compare" />
      </MenuButton>
      <MenuButton
        label={strings.exportMenu}
        items={exports}
        onChoose={(id) => exportCircuit(store, id as ExportKind)}
      >
        <Icon name="export" />
      </MenuButton>
      <IconButton icon="save" label={strings.save} onClick={() => store.wish(store.host.api.save({}))} />
    </fieldset>
  );
}
