/** Entry of the circuit panel: connects to the host, reads the theme and draws the app. */

import { render } from 'preact';
import '../ui.css';
import '../lib/menu.css';
import './bars.css';
import './circuit.css';
import './graph.css';
import './graphMarks.css';
import './list.css';
import './nodeCard.css';
import './prune.css';
import type { CircuitViewApi } from '../../src/shared/circuitViewApi.ts';
import { connectHost, readState, writeState } from '../lib/host.ts';
import { SavedState } from '../lib/savedState.ts';
import { watchTheme } from '../lib/theme.ts';
import { CircuitApp } from './circuitApp.tsx';
import { CircuitStore } from './circuitStore.ts';

watchTheme();
const saved = new SavedState({ read: readState, write: writeState });
const store = new CircuitStore(connectHost<CircuitViewApi>(), saved);
render(<CircuitApp store={store} />, document.body);
void store.refresh();
// Messages to a hidden view are lost, so it asks again when it is seen.
document.addEventListener('visibilitychange', () => {
  if (!document.hidden) void store.refresh();
});
