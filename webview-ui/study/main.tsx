/** Entry of the study panel: connects to the host, reads the theme and draws the app. */

import { render } from 'preact';
import '../ui.css';
import '../marks/effectLegend.css';
import '../marks/headGrid.css';
import '../marks/scatter.css';
import './plots.css';
import './study.css';
import './tables.css';
import type { StudyViewApi } from '../../src/shared/studyViewApi.ts';
import { connectHost, readState, writeState } from '../lib/host.ts';
import { SavedState } from '../lib/savedState.ts';
import { watchTheme } from '../lib/theme.ts';
import { StudyApp } from './studyApp.tsx';
import { StudyStore } from './studyStore.ts';

watchTheme();
const saved = new SavedState({ read: readState, write: writeState });
const store = new StudyStore(connectHost<StudyViewApi>(), saved);
render(<StudyApp store={store} />, document.body);
void store.refresh();
// Messages to a hidden view are lost, so it asks again when it is seen.
document.addEventListener('visibilitychange', () => {
  if (!document.hidden) void store.refresh();
});
