/** Typed access to what the manifest declares: commands, settings, context keys. */

import * as vscode from 'vscode';
import { type CommandName, commands, contextKeys, type SettingTypes, settings } from './names.ts';

type SettingName = keyof typeof settings;
type SettingValue<Name extends SettingName> = SettingTypes[(typeof settings)[Name]];

/** Reads a setting. The manifest holds its default. */
export function readSetting<Name extends SettingName>(
  name: Name,
  scope?: vscode.ConfigurationScope,
): SettingValue<Name> {
  const value = vscode.workspace.getConfiguration(undefined, scope).get<SettingValue<Name>>(settings[name]);
  if (value === undefined) throw new Error(`The setting ${settings[name]} is not declared.`);
  return value;
}

/** Changes a setting for the user. */
export async function writeSetting<Name extends SettingName>(
  name: Name,
  value: SettingValue<Name>,
): Promise<void> {
  const configuration = vscode.workspace.getConfiguration();
  const isInWorkspace = configuration.inspect(settings[name])?.workspaceValue !== undefined;
  const place = isInWorkspace ? vscode.ConfigurationTarget.Workspace : vscode.ConfigurationTarget.Global;
  await configuration.update(settings[name], value, place);
}

/** Calls `listener` after one of these settings changed. */
export function onSettingChanged(names: readonly SettingName[], listener: () => void): vscode.Disposable {
  return vscode.workspace.onDidChangeConfiguration((event) => {
    if (names.some((name) => event.affectsConfiguration(settings[name]))) listener();
  });
}

/** Sets a key that when-clauses read. */
export function setContext(name: keyof typeof contextKeys, value: boolean): void {
  void vscode.commands.executeCommand('setContext', contextKeys[name], value);
}

/** Runs one of this extension's commands. */
export async function runCommand(name: CommandName, ...parameters: readonly unknown[]): Promise<void> {
  await vscode.commands.executeCommand(commands[name], ...parameters);
}

/** What a click on a tree item or CodeLens runs. */
export function commandLink(
  name: CommandName,
  title: string,
  parameters: readonly unknown[] = [],
): vscode.Command {
  return { command: commands[name], title, arguments: [...parameters] };
}

/** The address of a command for a link in trusted Markdown. */
export function commandUri(name: CommandName, parameters: readonly unknown[] = []): string {
  const query = encodeURIComponent(JSON.stringify(parameters)).replace(/[()]/g, escapeParenthesis);
  return `command:${commands[name]}?${query}`;
}

/** A parenthesis would end a Markdown link. */
function escapeParenthesis(character: string): string {
  return character === '(' ? '%28' : '%29';
}
