/** The HTML page of a webview: one script, one style sheet, a strict content security policy, translated texts. */

import { randomUUID } from 'node:crypto';
import * as vscode from 'vscode';
import { viewStrings } from '../../shared/viewStrings.ts';

/** What a page needs to know of its webview. */
export interface PageOptions {
  readonly webview: vscode.Webview;
  readonly extensionUri: vscode.Uri;
  /** Name of the bundle in dist/webview. */
  readonly app: string;
  readonly title: string;
}

/** Sets what the webview may do, and its page. */
export function showPage(options: PageOptions): void {
  const { webview, extensionUri } = options;
  webview.options = {
    enableScripts: true,
    enableCommandUris: false,
    localResourceRoots: [
      vscode.Uri.joinPath(extensionUri, 'dist', 'webview'),
      vscode.Uri.joinPath(extensionUri, 'media'),
    ],
  };
  webview.html = pageHtml(options);
}

function pageHtml({ webview, extensionUri, app, title }: PageOptions): string {
  const nonce = randomUUID();
  const address = (file: string): string =>
    webview.asWebviewUri(vscode.Uri.joinPath(extensionUri, 'dist', 'webview', file)).toString();
  const policy = [
    `default-src 'none'`,
    `script-src 'nonce-${nonce}'`,
    `style-src ${webview.cspSource}`,
    `font-src ${webview.cspSource}`,
    `img-src ${webview.cspSource} data:`,
  ].join('; ');
  return `<!DOCTYPE html>
<html lang="${vscode.env.language}">
<head>
<meta charset="UTF-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1.0">
<title>${escapeHtml(title)}</title>
<link rel="stylesheet" href="${address(`${app}.css`)}">
<script type="application/json" id="fovea-strings" nonce="${nonce}">${inlineJson(translations())}</script>
<script defer nonce="${nonce}" src="${address(`${app}.js`)}"></script>
</head>
<body></body>
</html>`;
}

function translations(): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(viewStrings).map(([key, text]) => [key, vscode.l10n.t(text)]));
}

/** JSON that may stand inside a script element: nothing in it can end the element. */
export function inlineJson(value: unknown): string {
  return JSON.stringify(value).replace(/</g, '\\u003c');
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
