/** Entry of the SHIFT panel: connects to the host, reads the theme and draws the app. */

import { render } from 'preact';
import '../ui.css';
import './accuracyTable.css';
import './featureList.css';
import './shift.css';
import type { ShiftViewApi } from '../../src/shared/shiftViewApi.ts';
import { connectHost, readState, writeState } from '../lib/host.ts';
import { SavedState } from '../lib/savedState.ts';
import { watchTheme } from '../lib/theme.ts';
import { ShiftApp } from './shiftApp.tsx';
import { ShiftStore } from './shiftStore.ts';

watchTheme();
const saved = new SavedState({ read: readState, write: writeState });
const store = new ShiftStore(connectHost<ShiftViewApi>(), saved);
render(<ShiftApp store={store} />, document.body);
void store.refresh();
// Messages to a hidden view are lost, so it asks again when it is seen.
document.addEventListener('visibilitychange', () => {
  if (!document.hidden) void store.refresh();
});
