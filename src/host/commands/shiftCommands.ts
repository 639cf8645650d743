/** Run SHIFT: asks for two professions and how thoroughly to look, and runs it in the SHIFT panel. */

import * as vscode from 'vscode';
import type { ModelInfo, SaeInfo } from '../../shared/domain.ts';
import { EngineError } from '../../shared/errors.ts';
import { methodDefaults } from '../../shared/methodDefaults.ts';
import type { ShiftRequest } from '../../shared/shiftApi.ts';
import { shiftProfessions } from '../../shared/shiftProfessions.ts';
import type { CommandServices } from '../services.ts';

interface PairItem extends vscode.QuickPickItem {
  readonly pair?: readonly [string, string];
}

interface SizeItem extends vscode.QuickPickItem {
  readonly size: Pick<ShiftRequest, 'saes' | 'trainCount' | 'testCount' | 'maxFeatures'>;
}

/** Asks two questions, each with a usual answer, and begins. */
export async function runShift(services: CommandServices): Promise<void> {
  const { models, shift, shiftPanel } = services;
  const model = await models.ensure();
  const professions = await pickProfessions();
  if (!professions) return;
  const size = await pickSize(model, models.saes);
  if (!size) return;
  const request = { model: model.id, professions, seed: methodDefaults.seed, ...size };
  shiftPanel.show();
  await shift.find({ modelName: model.name, modelHash: model.hash, request });
}

/** Ablates what is marked. */
export async function ablateMarked({ models, shift }: CommandServices): Promise<void> {
  await shift.ablate({ ...(await models.ensure()), saes: models.saes });
}

async function pickProfessions(): Promise<readonly [string, string] | undefined> {
  const usual = vscode.l10n.t('usual');
  const items: PairItem[] = [0, 2, 4, 6].map((first, i) => {
    const pair = [shiftProfessions[first]!, shiftProfessions[first + 1]!] as const;
    return {
      label: vscode.l10n.t('{0} or {1}', pair[0], pair[1]),
      detail: vscode.l10n.t('In training, every {0} is a man and every {1} is a woman.', pair[0], pair[1]),
      ...(i === 0 && { description: usual }),
      pair,
    };
  });
  const other: PairItem = { label: vscode.l10n.t('Choose Two…') };
  const title = vscode.l10n.t('Run SHIFT (1/2)');
  const placeHolder = vscode.l10n.t('Which professions should the classifier tell apart?');
  const chosen = await vscode.window.showQuickPick([...items, other], {
    title,
    placeHolder,
    matchOnDetail: true,
  });
  if (!chosen) return undefined;
  if (chosen.pair) return chosen.pair;
  const first = await vscode.window.showQuickPick(shiftProfessions, { title, placeHolder });
  if (first === undefined) return undefined;
  const rest = shiftProfessions.filter((profession) => profession !== first);
  const second = await vscode.window.showQuickPick(rest, {
    title,
    placeHolder: vscode.l10n.t('{0}, or what else?', first),
  });
  return second === undefined ? undefined : [first, second];
}

/** @throws request.invalid when no SAE lies below the classifier. */
async function pickSize(model: ModelInfo, saes: readonly SaeInfo[]): Promise<SizeItem['size'] | undefined> {
  const top = Math.floor(model.nLayers / 2);
  const below = saes.filter((sae) => !sae.problem && sae.kind === 'sae' && isAtMost(sae, top));
  const streams = below.filter(({ hook }) => hook.endsWith('hook_resid_post'));
  const usual = (streams.length > 0 ? streams : below).map(({ id }) => id);
  if (usual.length === 0) {
    const reason = `it has none at or below blocks.${top}.hook_resid_post, which the classifier reads; add one`;
    throw new EngineError('request.invalid', { what: `The SAEs of ${model.name}`, reason });
  }
  const all = below.map(({ id }) => id);
  const items: SizeItem[] = [
    {
      label: vscode.l10n.t('Streams'),
      description: vscode.l10n.t('usual'),
      detail: vscode.l10n.t('{0} SAEs, 500 biographies, 150 features', usual.length),
      size: { saes: usual },
    },
    {
      label: vscode.l10n.t('Quick Look'),
      detail: vscode.l10n.t('{0} SAEs, 200 biographies, 150 features', usual.length),
      size: { saes: usual, trainCount: 200, testCount: 160, maxFeatures: 150 },
    },
  ];
  if (all.length > usual.length) {
    items.push({
      label: vscode.l10n.t('Attention, MLPs and Streams'),
      detail: vscode.l10n.t('{0} SAEs, 500 biographies, 300 features', all.length),
      size: { saes: all, maxFeatures: 300 },
    });
  }
  const chosen = await vscode.window.showQuickPick(items, {
    title: vscode.l10n.t('Run SHIFT (2/2)'),
    placeHolder: vscode.l10n.t('Whose features should be looked at?'),
    matchOnDetail: true,
  });
  return chosen?.size;
}

/** At or below the stream after layer `top`, one SAE for each hook. */
function isAtMost({ layer, hook }: SaeInfo, top: number): boolean {
  return layer <= top && /hook_(resid_pre|resid_mid|resid_post|attn_out|mlp_out)$|attn\.hook_z$/.test(hook);
}
