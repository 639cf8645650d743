/** Entry of the sweep panel: connects to the host, reads the theme and draws the app. */

import { render } from 'preact';
import '../ui.css';
import '../marks/effectLegend.css';
import '../marks/heat.css';
import './sweep.css';
import type { SweepViewApi } from '../../src/shared/sweepViewApi.ts';
import { connectHost, readState, writeState } from '../lib/host.ts';
import { SavedState } from '../lib/savedState.ts';
import { watchTheme } from '../lib/theme.ts';
import { SweepApp } from './sweepApp.tsx';
import { SweepStore } from './sweepStore.ts';

watchTheme();
const saved = new SavedState({ read: readState, write: writeState });
const store = new SweepStore(connectHost<SweepViewApi>(), saved);
render(<SweepApp store={store} />, document.body);
void store.refresh();
// Messages to a hidden view are lost, so it asks again when it is seen.
document.addEventListener('visibilitychange', () => {
  if (!document.hidden) void store.refresh();
});
