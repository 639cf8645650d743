/** Times that are only estimated, as people say them. */

import * as vscode from 'vscode';

/** `20 seconds`, `4 minutes`, `3 hours`. */
export function roughTime(seconds: number): string {
  if (seconds < 90) return vscode.l10n.t('{0} seconds', Math.max(1, Math.ceil(seconds)));
  if (seconds < 90 * 60) return vscode.l10n.t('{0} minutes', Math.round(seconds / 60));
  return vscode.l10n.t('{0} hours', Math.round(seconds / 3600));
}
