/** A panel beside the editor that holds one webview: opened once, brought to the front again, restored after a reload. */

import * as vscode from 'vscode';
import type { Contract } from '../../shared/rpc.ts';
import { Disposable } from '../disposable.ts';
import { showPage } from './page.ts';
import { Surface } from './surface.ts';

/** What kind of panel it is. */
export interface ViewPanelOptions<Api> {
  readonly viewType: string;
  readonly app: string;
  readonly title: string;
  readonly extensionUri: vscode.Uri;
  readonly icon: { readonly light: vscode.Uri; readonly dark: vscode.Uri };
  readonly api: Api;
  /** Called when VS Code brings the panel back. */
  readonly onRestore: () => void;
  /** Called when the panel gets the focus. */
  readonly onActive?: () => void;
}

/** One panel and its connection. */
export class ViewPanel<Api extends Contract<Api>> extends Disposable {
  private panel: vscode.WebviewPanel | undefined;
  private surfaceOfPanel: Surface<Api> | undefined;
  private tellTimer: NodeJS.Timeout | undefined;

  constructor(private readonly options: ViewPanelOptions<Api>) {
    super();
    this.own(
      vscode.window.registerWebviewPanelSerializer(options.viewType, {
        deserializeWebviewPanel: async (panel) => {
          this.adopt(panel);
          options.onRestore();
        },
      }),
    );
    this.own({ dispose: () => this.panel?.dispose() });
    this.own({ dispose: () => clearTimeout(this.tellTimer) });
  }

  /** The connection, while the panel is open. */
  get surface(): Surface<Api> | undefined {
    return this.surfaceOfPanel;
  }

  get isOpen(): boolean {
    return this.panel !== undefined;
  }

  /** Whether it can be seen now: it is the tab of its group. */
  get isVisible(): boolean {
    return this.panel?.visible === true;
  }

  /** Opens the panel beside the active editor, which keeps the focus; an open panel comes to the front. */
  show(column: vscode.ViewColumn = vscode.ViewColumn.Beside): void {
    if (this.panel) {
      // A panel in the editor's own group would cover the text that it is about.
      const covers = this.panel.viewColumn === vscode.window.activeTextEditor?.viewColumn;
      this.panel.reveal(covers ? column : undefined, true);
      return;
    }
    const { viewType, title } = this.options;
    const sleeping = findTab(viewType);
    const viewColumn = sleeping?.group.viewColumn ?? column;
    if (sleeping) void vscode.window.tabGroups.close(sleeping, true);
    this.adopt(
      vscode.window.createWebviewPanel(
        viewType,
        title,
        { viewColumn, preserveFocus: true },
        { retainContextWhenHidden: false },
      ),
    );
  }

  /** Tells the view that its state has changed, at most once in `every` milliseconds: work that runs reports often. */
  tellSoon(every: number): void {
    if (!this.panel) return;
    this.tellTimer ??= setTimeout(() => {
      this.tellTimer = undefined;
      this.surfaceOfPanel?.tell('changed', {});
    }, every);
  }

  setTitle(title: string): void {
    if (this.panel && this.panel.title !== title) this.panel.title = title;
  }

  private adopt(panel: vscode.WebviewPanel): void {
    const { api, app, extensionUri, icon, title } = this.options;
    this.panel?.dispose();
    this.panel = panel;
    panel.iconPath = icon;
    const surface = new Surface(panel.webview, api);
    this.surfaceOfPanel = surface;
    panel.onDidChangeViewState(() => {
      if (panel.active) this.options.onActive?.();
    });
    panel.onDidDispose(() => {
      surface.dispose();
      if (this.panel !== panel) return;
      this.panel = undefined;
      this.surfaceOfPanel = undefined;
    });
    showPage({ webview: panel.webview, extensionUri, app, title });
  }
}

/** After a reload, VS Code brings a panel back only when its tab is looked at; until then there is just the tab. */
function findTab(viewType: string): vscode.Tab | undefined {
  const tabs = vscode.window.tabGroups.all.flatMap((group) => group.tabs);
  return tabs.find(
    ({ input }) => input instanceof vscode.TabInputWebview && input.viewType.endsWith(viewType),
  );
}
