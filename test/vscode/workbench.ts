/** One window of VS Code under test, driven as a user would: palette, keyboard, mouse, and eyes on the page. */
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ElementHandle, Frame, Locator, Page } from 'playwright-core';
import { projectRoot } from '../../scripts/vscodeServer.mjs';

/** VS Code's four kinds of theme; a surface must look right in each. */
export const themes = {
  dark: 'Dark Modern',
  light: 'Light Modern',
  highContrastDark: 'Default High Contrast',
  highContrastLight: 'Default High Contrast Light',
} as const;

/** One of the four kinds of theme. */
export type Theme = keyof typeof themes;

const themeClasses: Readonly<Record<Theme, string>> = {
  dark: 'vs-dark',
  light: 'vs',
  highContrastDark: 'hc-black',
  highContrastLight: 'hc-light',
};

/** Milliseconds after which what was typed into a dialog is what the dialog works with. */
const settleTime = 600;

/** What `openPage` gives a window. */
export interface WorkbenchParts {
  readonly page: Page;
  readonly address: string;
  /** The workspace: a copy that the test may change. */
  readonly folder: string;
  readonly dataFolder: string;
  readonly stop: () => Promise<void>;
}

/** A window of VS Code. Times are in milliseconds. */
export class Workbench {
  readonly page: Page;
  readonly folder: string;
  readonly #parts: WorkbenchParts;
  readonly #messages: string[] = [];

  constructor(parts: WorkbenchParts) {
    this.#parts = parts;
    this.page = parts.page;
    this.folder = parts.folder;
    this.page.on('console', (message) => this.#messages.push(`${message.type()}: ${message.text()}`));
    this.page.on('pageerror', (error) => this.#messages.push(`pageerror: ${error.message}`));
  }

  /** What the page and its webviews wrote to the console, as "type: text". */
  get messages(): readonly string[] {
    return this.#messages;
  }

  /** Messages about a broken content security policy in a webview of this extension. */
  get policyViolations(): readonly string[] {
    return this.#messages.filter((text) => /violates the following Content Security Policy/.test(text));
  }

  /** Opens the window's address and waits until VS Code has restored it. */
  async open(): Promise<void> {
    await this.page.goto(this.#parts.address, { timeout: 120_000 });
    await this.#ready();
  }

  /** Reloads the window by **Developer: Reload Window**, which lets VS Code save its state first. */
  async reload(): Promise<void> {
    const loaded = this.page.waitForEvent('load', { timeout: 120_000 });
    await this.runCommand('Developer: Reload Window');
    await loaded;
    await this.#ready();
  }

  async #ready(): Promise<void> {
    await this.page.waitForSelector('.monaco-workbench', { timeout: 60_000 });
    // The files are listed once the window has reached the server.
    const rows = this.page.locator('.explorer-folders-view .monaco-list-row, .editor-instance');
    await rows.first().waitFor({ timeout: 60_000 });
    await this.page.locator('#status\\.notifications').waitFor({ timeout: 60_000 });
  }

  /**
   * Runs a command from the palette.
   * @param title as the palette shows it, such as "Fovea: Inspect Document"
   */
  async runCommand(title: string): Promise<void> {
    const row = this.page
      .locator('.quick-input-widget .monaco-list-row')
      .filter({ has: this.page.getByText(title, { exact: true }) })
      .first();
    await this.#chooseByText(`>${title}`, row);
  }

  /**
   * Types into the palette and clicks a row of its answers. VS Code may put the palette away again (a window that
   * restarts its extension host takes the keyboard), and commands and files appear in it only once they are known; so
   * the palette is asked until it answers.
   */
  async #chooseByText(text: string, row: Locator): Promise<void> {
    for (const deadline = Date.now() + 60_000; ; ) {
      await this.page.keyboard.press('F1');
      const clicked = await this.quickInput()
        .fill(text, { timeout: 5000 })
        .then(() => row.click({ timeout: 5000 }))
        .then(
          () => true,
          () => false,
        );
      if (clicked) return;
      if (Date.now() > deadline) throw new Error(`The palette has no row for "${text}".`);
      await this.page.keyboard.press('Escape');
    }
  }

  /** The text box of the open quick pick or input box. */
  quickInput(): Locator {
    return this.page.locator('.quick-input-widget:visible .quick-input-box input');
  }

  /** The rows of the open quick pick. */
  quickRows(): Locator {
    return this.page.locator('.quick-input-widget:visible .monaco-list-row');
  }

  /**
   * Chooses in the quick pick that is open.
   * @param text the label of a row, or a part of it
   */
  async pick(text: string): Promise<void> {
    await this.quickRows().filter({ hasText: text }).first().click();
  }

  /**
   * Answers the input box that is open. A dialog fills in its own suggestion some time after it opens, so the text has
   * to stay before Enter is pressed.
   * @param text what a user would type before Enter
   */
  async answer(text: string): Promise<void> {
    const input = this.quickInput();
    for (let tries = 0; tries < 10; tries++) {
      await input.fill(text);
      await this.page.waitForTimeout(settleTime);
      if ((await input.inputValue()) === text) break;
    }
    await this.page.keyboard.press('Enter');
  }

  /**
   * Opens a file of the workspace and puts the cursor into it.
   * @param path relative to the workspace
   */
  async openFile(path: string): Promise<void> {
    // By its whole path: what VS Code remembers of earlier searches does not hold new files.
    await this.#chooseByText(join(this.folder, path), this.quickRows().filter({ hasText: path }).first());
    await this.editor(path).locator('.view-lines').waitFor();
    await this.focusEditor(path);
  }

  /** The editor of a file of the workspace. */
  editor(path: string): Locator {
    return this.page.locator(`.editor-instance .monaco-editor[data-uri$="/${path}"]`).first();
  }

  /** Puts the keyboard into a file's editor, cursor at the end of its text. */
  async focusEditor(path: string): Promise<void> {
    await this.editor(path).locator('.view-lines').click();
    await this.page.keyboard.press('Control+End');
  }

  /** Types as a person does, into whatever has the keyboard. `delay` is the pause between keys. */
  async type(text: string, delay = 20): Promise<void> {
    await this.page.keyboard.type(text, { delay });
  }

  /** Moves the mouse onto a text of the editor and waits for the hover. */
  async hover(path: string, text: string): Promise<Locator> {
    await this.editor(path).getByText(text).first().hover();
    const hover = this.page.locator('.monaco-hover:visible').first();
    await hover.waitFor();
    return hover;
  }

  /**
   * The inner document of a webview of ours that is on the screen.
   * @param selector something that only this webview contains, such as `[data-view="tokens"]`
   */
  async webviewFrame(selector: string, timeout = 30_000): Promise<Frame> {
    for (const deadline = Date.now() + timeout; ; await pause(100)) {
      for (const outer of await this.page.locator('iframe.webview').elementHandles()) {
        const frame = await innerFrame(outer);
        const match = await frame?.$(selector).catch(() => null);
        if (frame !== undefined && match) {
          return frame;
        }
      }
      if (Date.now() > deadline) {
        throw new Error(`No webview contains ${selector} after ${timeout} ms.`);
      }
    }
  }

  /**
   * The inner document of one of our panels.
   * @param app its folder in webview-ui, such as "tokens"
   */
  async webview(app: string, timeout?: number): Promise<Frame> {
    return this.webviewFrame(`script[src*="/dist/webview/${app}.js"]`, timeout);
  }

  /** Changes settings of the workspace while VS Code runs; it takes them over within a second. */
  changeSettings(settings: Readonly<Record<string, unknown>>): void {
    const file = join(this.folder, '.vscode/settings.json');
    const before = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, JSON.stringify({ ...before, ...settings }, null, 2));
  }

  /** Trusts a workspace that was opened in restricted mode. */
  async trustWorkspace(): Promise<void> {
    await this.runCommand('Workspaces: Manage Workspace Trust');
    await this.page.getByRole('button', { name: 'Trust', exact: true }).first().click();
  }

  /** Changes the color theme and waits until the window wears it. */
  async setTheme(theme: Theme): Promise<void> {
    this.changeSettings({ 'workbench.colorTheme': themes[theme] });
    await this.page.waitForSelector(`.monaco-workbench.${themeClasses[theme]}`);
  }

  /** The notifications on the screen, as texts. */
  async notifications(): Promise<readonly string[]> {
    return this.page.locator('.notifications-toasts .notification-list-item-message').allInnerTexts();
  }

  /** Waits for a notification that contains the text. */
  async waitForNotification(text: string | RegExp, timeout = 30_000): Promise<Locator> {
    const notification = this.page
      .locator('.notifications-toasts .notification-list-item')
      .filter({ hasText: text });
    await notification.first().waitFor({ timeout });
    return notification.first();
  }

  /** Puts all notifications away. */
  async clearNotifications(): Promise<void> {
    await this.runCommand('Notifications: Clear All Notifications');
  }

  /** The item of the status bar that contains the text. */
  statusBarItem(text: string | RegExp): Locator {
    return this.page.locator('.statusbar-item').filter({ hasText: text }).first();
  }

  /** Keeps a picture of the window as test-results/screenshots/<name>.png and returns its path. */
  async screenshot(name: string): Promise<string> {
    const path = join(projectRoot, 'test-results/screenshots', `${name}.png`);
    mkdirSync(dirname(path), { recursive: true });
    await this.page.screenshot({ path });
    return path;
  }

  /**
   * Closes the window and its server.
   * @param logs a name under test-results/logs where VS Code's and the page's logs are kept
   */
  async close(logs?: string): Promise<void> {
    if (logs !== undefined) {
      this.#keepLogs(join(projectRoot, 'test-results/logs', logs));
    }
    await this.#parts.stop();
  }

  #keepLogs(to: string): void {
    const from = join(this.#parts.dataFolder, 'data/logs');
    rmSync(to, { recursive: true, force: true });
    mkdirSync(to, { recursive: true });
    if (existsSync(from)) {
      cpSync(from, to, { recursive: true });
    }
    writeFileSync(join(to, 'page.log'), `${this.#messages.join('\n')}\n`);
  }
}

/** VS Code nests a webview twice: its own frame, and in it the extension's document. */
async function innerFrame(outer: ElementHandle): Promise<Frame | undefined> {
  const shell = await outer.contentFrame().catch(() => null);
  const active = await shell?.$('#active-frame').catch(() => null);
  return (await active?.contentFrame().catch(() => null)) ?? undefined;
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((done) => setTimeout(done, milliseconds));
}
