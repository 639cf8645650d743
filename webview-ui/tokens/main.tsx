/** Entry of the token panel: connects to the host, reads the theme and draws the app. */

import { render } from 'preact';
import '../ui.css';
import '../marks/lens.css';
import './attention.css';
import './features.css';
import './strip.css';
import './tokens.css';
import type { TokensViewApi } from '../../src/shared/viewApi.ts';
import { connectHost, readState, writeState } from '../lib/host.ts';
import { SavedState } from '../lib/savedState.ts';
import { watchTheme } from '../lib/theme.ts';
import { TokensApp } from './tokensApp.tsx';
import { TokensStore } from './tokensStore.ts';

watchTheme();
const saved = new SavedState({ read: readState, write: writeState });
const store = new TokensStore(connectHost<TokensViewApi>(), saved);
render(<TokensApp store={store} />, document.body);
void store.refresh();
// Messages to a hidden view are lost, so it asks again when it is seen.
document.addEventListener('visibilitychange', () => {
  if (!document.hidden) void store.refresh();
});
