/** A quick pick that is open at once and is filled while the user looks at it. */

import * as vscode from 'vscode';
import { plainMessage } from '../plainTitle.ts';

/** What to offer. */
export interface PickOptions<Item extends vscode.QuickPickItem> {
  readonly title: string;
  readonly placeholder: string;
  /** What can be offered at once. */
  readonly items: readonly Item[];
  /** Finds the items that take longer, in place of the first ones; aborted when the user is gone. */
  readonly fill?: (signal: AbortSignal) => Promise<readonly Item[] | undefined>;
  /** Whether the keyboard begins at an item; at the first one when none. */
  readonly isActive?: (item: Item) => boolean;
  /** Why an item cannot be chosen, told to the user instead. */
  readonly refuse?: (item: Item) => string | undefined;
}

/** Lets the user choose; answers nothing when the pick was left. Failures of `fill` close it and are the caller's. */
export function pickItem<Item extends vscode.QuickPickItem>(
  options: PickOptions<Item>,
): Promise<Item | undefined> {
  return new Promise((resolve, reject) => {
    const pick = vscode.window.createQuickPick<Item>();
    const controller = new AbortController();
    let chosen: Item | undefined;
    pick.title = options.title;
    pick.placeholder = options.placeholder;
    pick.matchOnDescription = true;
    pick.matchOnDetail = true;
    pick.items = options.items;
    const active = options.isActive && options.items.find(options.isActive);
    if (active) pick.activeItems = [active];
    pick.onDidAccept(() => {
      const [item] = pick.selectedItems;
      if (!item) return;
      const reason = options.refuse?.(item);
      if (reason !== undefined) {
        void vscode.window.showWarningMessage(plainMessage(reason));
        return;
      }
      chosen = item;
      pick.hide();
    });
    pick.onDidHide(() => {
      controller.abort();
      pick.dispose();
      resolve(chosen);
    });
    pick.show();
    if (options.fill) {
      pick.busy = true;
      options.fill(controller.signal).then(
        (items) => {
          if (controller.signal.aborted) return;
          pick.busy = false;
          if (items) showItems(pick, items);
        },
        (error: unknown) => {
          if (controller.signal.aborted) return;
          reject(error);
          pick.hide();
        },
      );
    }
  });
}

/** Keeps what the user has moved to, since the list changes under the keyboard. */
function showItems<Item extends vscode.QuickPickItem>(
  pick: vscode.QuickPick<Item>,
  items: readonly Item[],
): void {
  const [active] = pick.activeItems;
  pick.keepScrollPosition = true;
  pick.items = items;
  const same = items.find(({ label, kind }) => label === active?.label && kind === active.kind);
  if (same) pick.activeItems = [same];
}
