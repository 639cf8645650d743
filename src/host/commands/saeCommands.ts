/** Commands about how an SAE is read: check it, read it by another convention, write it out for another library. */

import { basename, join } from 'node:path';
import * as vscode from 'vscode';
import type { SaeInfo } from '../../shared/domain.ts';
import { EngineError } from '../../shared/errors.ts';
import { conventionKey, type SaeCheck, type SaeConvention } from '../../shared/saeCheck.ts';
import { writeSetting } from '../contributions.ts';
import { describeConvention, describeReading, describeStatus } from '../describeSae.ts';
import { views } from '../names.ts';
import { plainMessage, plainTitle } from '../plainTitle.ts';
import type { CommandServices } from '../services.ts';
import { asSae, fieldOf } from './saeOfRow.ts';

/** What reading an SAE otherwise needs. */
type ReadingServices = Pick<CommandServices, 'models' | 'checks'>;

/** Measures an SAE again. From the palette the shown one, whose verdict is then told. */
export async function checkSae(services: CommandServices, given?: unknown): Promise<void> {
  const named = asSae(services, given);
  const sae = named ?? (await requireSae(services));
  const check = await vscode.window.withProgress({ location: { viewId: views.model } }, () =>
    services.checks.check(sae),
  );
  if (named || check?.verdict !== 'good') return;
  const verdict = describeStatus({ kind: 'checked', check });
  void vscode.window.showInformationMessage(plainMessage(vscode.l10n.t('{0} {1}.', sae.name, verdict)));
}

/**
 * Measures the SAE on the text of the active editor and lists what was found. The verdict stays that of the built-in
 * text, which is the same for every SAE.
 */
export async function checkSaeOnDocument(services: CommandServices, given?: unknown): Promise<void> {
  const sae = asSae(services, given) ?? (await requireSae(services));
  const model = await services.models.ensure();
  const document = vscode.window.activeTextEditor?.document;
  if (!document) {
    const reason = vscode.l10n.t('no document is open; open the text to measure on');
    throw new EngineError('request.invalid', { what: vscode.l10n.t('This command'), reason });
  }
  const request = {
    model: model.id,
    sae: sae.id,
    text: document.getText(),
    textName: basename(document.fileName),
  };
  const check = await vscode.window.withProgress({ location: { viewId: views.model } }, () =>
    services.engine.checkSae(request),
  );
  await pickReading(services, sae, check);
}

/** Reads an SAE by the convention that reconstructs best, as its check found. */
export async function useBetterReading(services: CommandServices, given?: unknown): Promise<void> {
  const sae = asSae(services, given) ?? (await requireSae(services));
  const status = services.checks.status(sae);
  const best =
    status.kind === 'checked' && status.check.verdict === 'other' ? status.check.alternatives[0] : undefined;
  if (best) return readSae(services, sae, best.convention);
  const words = vscode.l10n.t('No other convention is known to read {0} better.', sae.name);
  void vscode.window.showInformationMessage(plainMessage(words));
}

/** Reads an SAE as its files declare. */
export async function readAsDeclared(services: CommandServices, given?: unknown): Promise<void> {
  const sae = asSae(services, given) ?? (await requireSae(services));
  await readSae(services, sae, {});
}

/**
 * Reads an SAE by a convention from now on, and measures it so. How prompts begin is the model's policy: a convention
 * that asks for another changes that one, and the shown SAE is checked anew under it.
 */
export async function readSae(
  { checks, models }: ReadingServices,
  sae: SaeInfo,
  { prependBos, ...convention }: SaeConvention,
): Promise<void> {
  await checks.read(sae, convention);
  if (prependBos !== undefined) {
    await writeSetting('modelBos', prependBos ? 'always' : 'never');
    return;
  }
  const changed = models.saes.find(({ id }) => id === sae.id);
  if (changed && checks.status(changed).kind === 'unchecked') await checks.check(changed);
}

/** Asks how an SAE is to be read, among what its check tried; it is checked when it was not. */
export async function chooseReading(services: CommandServices, given?: unknown): Promise<void> {
  const sae = asSae(services, given) ?? (await requireSae(services));
  const status = services.checks.status(sae);
  const check =
    status.kind === 'checked'
      ? status.check
      : await vscode.window.withProgress({ location: { viewId: views.model } }, () =>
          services.checks.check(sae),
        );
  if (check) await pickReading(services, sae, check);
}

/** Lists every reading that was tried, and takes over the one that is chosen. */
export async function pickReading(services: ReadingServices, sae: SaeInfo, check: SaeCheck): Promise<void> {
  const now = conventionKey(sae.convention);
  const items = [check.current, ...check.alternatives].map((reading) => ({
    label: describeConvention(reading.convention),
    description: conventionKey(reading.convention) === now ? vscode.l10n.t('in use') : undefined,
    detail: describeReading(reading),
    reading,
  }));
  const chosen = await vscode.window.showQuickPick(items, {
    title: vscode.l10n.t('How to Read {0}', plainTitle(sae.name)),
    placeHolder: vscode.l10n.t('Measured on {0} tokens of {1}', check.tokens, check.text),
  });
  if (chosen && conventionKey(chosen.reading.convention) !== now) {
    await readSae(services, sae, chosen.reading.convention);
  }
}

/** Writes an SAE as a folder that another library reads. */
export async function exportSae(services: CommandServices, given?: unknown): Promise<void> {
  const sae = asSae(services, given) ?? (await requireSae(services));
  const model = await services.models.ensure();
  const format = await vscode.window.showQuickPick(['SAELens', 'dictionary_learning'] as const, {
    title: vscode.l10n.t('Export SAE'),
    placeHolder: vscode.l10n.t('For which library'),
  });
  if (format !== 'SAELens' && format !== 'dictionary_learning') return;
  const target = await vscode.window.showSaveDialog({
    title: vscode.l10n.t('Export SAE as a Folder'),
    saveLabel: vscode.l10n.t('Export'),
    defaultUri: suggestFolder(sae, format),
  });
  if (!target) return;
  await vscode.window.withProgress({ location: { viewId: views.model } }, () =>
    services.engine.exportSae({ sae: sae.id, model: model.id, format, out: target.fsPath }),
  );
  void vscode.window.showInformationMessage(vscode.l10n.t('{0} was written for {1}.', target.fsPath, format));
}

/** Puts the path of a row's model or SAE on the clipboard. */
export async function copyPath(given: unknown): Promise<void> {
  const path =
    fieldOf(fieldOf(given, 'sae'), 'path') ??
    fieldOf(fieldOf(given, 'model'), 'path') ??
    fieldOf(given, 'path');
  if (typeof path === 'string') await vscode.env.clipboard.writeText(path);
}

/** Puts a row's hook on the clipboard, as TransformerLens names it. */
export async function copyHookName(given: unknown): Promise<void> {
  const hook = fieldOf(given, 'hook');
  if (typeof hook === 'string') await vscode.env.clipboard.writeText(hook);
}

/** The SAE whose features are shown. @throws request.invalid when there is none. */
export async function requireSae({ models }: CommandServices): Promise<SaeInfo> {
  await models.ensure();
  if (models.sae) return models.sae;
  const reason = vscode.l10n.t('no SAE is chosen');
  throw new EngineError('request.invalid', { what: vscode.l10n.t('This command'), reason });
}

function suggestFolder(sae: SaeInfo, format: string): vscode.Uri | undefined {
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri.fsPath;
  return folder === undefined ? undefined : vscode.Uri.file(join(folder, `${basename(sae.path)}-${format}`));
}
