/** Takes SAEs off the list again: the folder of the settings that brings them. Nothing is deleted on disk. */

import { realpath } from 'node:fs/promises';
import { sep } from 'node:path';
import * as vscode from 'vscode';
import type { SaeInfo } from '../../shared/domain.ts';
import { readSetting, writeSetting } from '../contributions.ts';
import { plainMessage } from '../plainTitle.ts';
import type { CommandServices } from '../services.ts';
import { requireSae } from './saeCommands.ts';
import { asSae } from './saeOfRow.ts';

/** Removes the folders that bring the SAE from the settings; asks first when they bring others as well. */
export async function removeSae(services: CommandServices, given?: unknown): Promise<void> {
  const { models } = services;
  const sae = asSae(services, given) ?? (await requireSae(services));
  const folders = readSetting('saeFolders');
  const roots = await Promise.all(folders.map(realRoot));
  const bringing = folders.filter((_, i) => isBelow(sae, roots[i]!));
  if (bringing.length === 0) {
    const words = vscode.l10n.t('{0} lies beside the model, in no folder that was added.', sae.path);
    void vscode.window.showWarningMessage(plainMessage(words));
    return;
  }
  const going = roots.filter((root) => isBelow(sae, root));
  const count = models.saes.filter((one) => going.some((root) => isBelow(one, root))).length;
  if (count > 1 && !(await confirmSeveral(bringing, count))) return;
  await writeSetting(
    'saeFolders',
    folders.filter((folder) => !bringing.includes(folder)),
  );
  await models.refreshSaes();
}

async function confirmSeveral(folders: readonly string[], count: number): Promise<boolean> {
  const remove = vscode.l10n.t('Remove');
  const words = vscode.l10n.t(
    'Remove {0} from the list? It holds {1} SAEs. Nothing is deleted.',
    folders.join(', '),
    count,
  );
  return (await vscode.window.showWarningMessage(plainMessage(words), { modal: true }, remove)) === remove;
}

/** As SAEs are named: by real paths. Behind a `#` stands a file of the folder. */
async function realRoot(entry: string): Promise<string> {
  const whole = await realpath(entry).catch(() => undefined);
  if (whole !== undefined) return whole;
  const at = entry.lastIndexOf('#');
  const folder = at < 0 ? undefined : await realpath(entry.slice(0, at)).catch(() => undefined);
  return folder === undefined ? entry : folder + entry.slice(at);
}

/** The entry is the SAE, its folder, one above, or the path of its file. */
function isBelow({ id, path }: SaeInfo, root: string): boolean {
  return id === root || path === root || path.startsWith(root + sep) || id.replace('#', sep) === root;
}
