/** The buttons of a node's card: what can be done to it in the model and in the picture. */

import type { JSX } from 'preact';
import { MenuButton } from '../lib/menu.tsx';
import { reasonOf } from '../lib/resource.ts';
import { strings } from '../lib/strings.ts';
import { labelText } from '../lib/tokenText.tsx';
import type { Mark } from '../marks/circuitMark.ts';
import { addNode, groupChosen, isPinned, togglePin, ungroupMark } from './circuitEdits.ts';
import { startRename } from './circuitKeys.ts';
import { groupOfMark } from './circuitMarks.ts';
import type { CircuitStore } from './circuitStore.ts';

/** The buttons. */
export function NodeActions(props: { readonly store: CircuitStore; readonly mark: Mark }): JSX.Element {
  const { store, mark } = props;
  const { id } = mark;
  const group = groupOfMark(id);
  const pinned = isPinned(new Set(store.annotations.value.pinned), mark);
  const isOpen = group !== undefined && store.openGroups.value.has(group);
  const chosen = store.chosen.value;
  const groups = store.annotations.value.supernodes;
  return (
    <div class="node-actions">
      {group === undefined && mark.kind !== 'error' && mark.kind !== 'bias' && mark.kind !== 'other' && (
        <Action title={strings.ablate} run={() => store.wish(store.host.api.ablateNode({ node: id }))} />
      )}
      {mark.kind === 'feature' && (
        <Action title={strings.steer} run={() => store.wish(store.host.api.steerNode({ node: id }))} />
      )}
      <Action title={pinned ? strings.unpin : strings.pin} run={() => togglePin(store, [id])} />
      <Action title={strings.rename} run={() => startRename(store, id)} />
      {group !== undefined && (
        <>
          <Action title={isOpen ? strings.collapse : strings.expand} run={() => store.toggleGroup(group)} />
          <Action title={strings.ungroup} run={() => ungroupMark(store, id)} />
        </>
      )}
      {group === undefined && mark.groupLabel === undefined && groups.length > 0 && (
        <MenuButton
          label={strings.addToGroup}
          kind="secondary"
          items={groups.map((one) => ({ id: one.id, title: labelText(one.label) }))}
          onChoose={(one) => addNode(store, one, id)}
        >
          {strings.addToGroup}
        </MenuButton>
      )}
      {chosen.size > 0 && <Action title={strings.group} run={() => groupChosen(store, id)} />}
      {mark.groupLabel !== undefined && <Action title={strings.takeOut} run={() => ungroupMark(store, id)} />}
      {group === undefined && <Action title={strings.copyId} run={() => copy(id)} />}
    </div>
  );
}

function copy(text: string): void {
  navigator.clipboard.writeText(text).catch((error: unknown) => console.error(reasonOf(error)));
}

function Action({ title, run }: { readonly title: string; readonly run: () => void }): JSX.Element {
  return (
    <button type="button" class="secondary" onClick={run}>
      {title}
    </button>
  );
}
