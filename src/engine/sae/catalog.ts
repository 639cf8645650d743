/** Finds SAE folders and says what is in them, without reading their weights. */

import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { ModelInfo, SaeInfo } from '../../shared/domain.ts';
import { EngineError } from '../../shared/errors.ts';
import { formatText } from '../../shared/format.ts';
import { fileError } from '../files/fileErrors.ts';
import { readWeightsSample } from '../files/weightsSample.ts';
import { readFeatureStatistics } from './featureStatistics.ts';
import { checkSaeFits, hookLayer, type SaeFolder } from './format.ts';
import { openSaeLens } from './saelens.ts';

const configName = 'cfg.json';

/** How deep below a named folder SAE folders are looked for. */
const maxDepth = 2;

/**
 * Folders at or below `folder` that hold an SAE, in the order of their names. A missing folder holds none.
 * @throws file.unreadable
 */
export async function findSaeFolders(folder: string, depth = maxDepth): Promise<string[]> {
  if (existsSync(join(folder, configName))) return [folder];
  if (depth === 0 || !(await isFolder(folder))) return [];
  const entries = await readdir(folder, { withFileTypes: true }).catch((error) => {
    throw fileError(folder, error);
  });
  const names = entries
    .filter((entry) => entry.isDirectory() || entry.isSymbolicLink())
    .map((entry) => entry.name);
  const found: string[] = [];
  for (const name of names.sort(byNumber)) {
    found.push(...(await findSaeFolders(join(folder, name), depth - 1)));
  }
  return found;
}

/** True for a folder or a link to one. */
async function isFolder(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found?.isDirectory() ?? false;
}

/** Describes the SAE in `folder`. What keeps it from being used with `model` is told in `problem`. */
export async function describeSae(folder: string, model: ModelInfo): Promise<SaeInfo> {
  try {
    const opened = await openSaeLens(folder);
    return { ...(await infoOf(opened)), problem: problemOf(opened, model) };
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    return { ...unknownSae(folder), problem: formatText(error.message) };
  }
}

/** What the cards of an opened SAE say. */
export async function infoOf(folder: SaeFolder): Promise<SaeInfo> {
  const { path, config } = folder;
  // The name comes from a file: in one that no model has, anything may stand.
  const hook = formatText(config.hookName);
  const layer = hookLayer(config.hookName) ?? 0;
  const statistics = await readFeatureStatistics(path, config.dSae);
  return {
    id: path,
    path,
    name: saeName(hook, layer),
    hook,
    layer,
    architecture: config.architecture,
    dIn: config.dIn,
    dSae: config.dSae,
    k: config.k,
    hash: await saeHash(folder),
    prependBos: config.prependBos,
    labelSource: statistics && formatText(statistics.labelSource),
  };
}

function problemOf(folder: SaeFolder, model: ModelInfo): string | undefined {
  try {
    checkSaeUsable(folder, model);
    return undefined;
  } catch (error) {
    if (error instanceof EngineError) return formatText(error.message);
    throw error;
  }
}

/** @throws sae.mismatch when the SAE does not fit the model, or reads it in a way that Fovea cannot. */
export function checkSaeUsable(folder: SaeFolder, model: ModelInfo): void {
  checkSaeFits(folder, model);
  checkReadsWholeHook(folder, model);
}

/** Encoding takes all heads of a hook side by side, so an SAE on one head would be given every head in turn. */
function checkReadsWholeHook({ path, config }: SaeFolder, model: ModelInfo): void {
  if (config.hookHeadIndex === undefined) return;
  const reason = `it reads head ${config.hookHeadIndex} alone, and Fovea runs SAEs on all heads of a hook`;
  throw new EngineError('sae.mismatch', { path, reason, model: model.name });
}

function unknownSae(folder: string): SaeInfo {
  const hook = formatText(basename(folder));
  return {
    id: folder,
    path: folder,
    name: hook,
    hook,
    layer: hookLayer(hook) ?? 0,
    architecture: 'standard',
    dIn: 0,
    dSae: 0,
    hash: '',
  };
}

const siteNames: Readonly<Record<string, string>> = {
  hook_resid_pre: 'residual stream before',
  hook_resid_mid: 'residual stream between',
  hook_resid_post: 'residual stream',
  hook_attn_out: 'attention output',
  hook_mlp_out: 'MLP output',
  'attn.hook_z': 'attention heads',
  'mlp.hook_post': 'MLP neurons',
};

function saeName(hook: string, layer: number): string {
  const site = hook.replace(/^blocks\.\d+\./, '');
  return `Layer ${layer} · ${siteNames[site] ?? site}`;
}

/** First 16 hex digits of the SHA-256 of the config, the weights' header and a sample of their data: cheap, and another one after retraining. */
async function saeHash({ path, tensors }: SaeFolder): Promise<string> {
  const hash = createHash('sha256').update(await readFile(join(path, configName)));
  const files = new Set([...tensors.values()].map((tensor) => tensor.path));
  for (const file of files) hash.update(await readWeightsSample(file));
  return hash.digest('hex').slice(0, 16);
}

/** `blocks.2` before `blocks.10`. */
function byNumber(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}
