/** Tab icons of the panels, for light and dark themes. */

import * as vscode from 'vscode';

/** The icon of a panel: `media/<name>-light.svg` and `media/<name>-dark.svg`. */
export function panelIcon(
  extensionUri: vscode.Uri,
  name: string,
): { readonly light: vscode.Uri; readonly dark: vscode.Uri } {
  const file = (theme: string): vscode.Uri =>
    vscode.Uri.joinPath(extensionUri, 'media', `${name}-${theme}.svg`);
  return { light: file('light'), dark: file('dark') };
}
