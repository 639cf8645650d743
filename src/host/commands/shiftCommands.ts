/** Run SHIFT: asks for two professions and how thoroughly to look, and runs it in the SHIFT panel. */

import * as vscode from 'vscode';
import type { CallOptions } from '../../shared/callOptions.ts';
import type { ModelInfo, SaeInfo } from '../../shared/domain.ts';
import { EngineError } from '../../shared/errors.ts';
import { methodDefaults } from '../../shared/methodDefaults.ts';
import type { SearchEstimate } from '../../shared/searchEstimate.ts';
import { type ShiftRequest, shiftDefaults } from '../../shared/shiftApi.ts';
import { shiftProfessions } from '../../shared/shiftProfessions.ts';
import { saesBelow, saesOfStreams } from '../../shared/shiftSaes.ts';
import type { CommandServices } from '../services.ts';
import { confirmSearch, wordSeconds } from './confirmSearch.ts';
import { tellFinished } from './tellFinished.ts';

interface PairItem extends vscode.QuickPickItem {
  readonly pair?: readonly [string, string];
}

interface SizeItem extends vscode.QuickPickItem {
  readonly size: Pick<ShiftRequest, 'saes' | 'trainCount' | 'testCount' | 'maxFeatures'>;
}

/** Asks two questions, each with a usual answer, says what it will take, and begins. */
export async function runShift(services: CommandServices): Promise<void> {
  const { engine, models, shift, shiftPanel } = services;
  const model = await models.ensure();
  const professions = await pickProfessions();
  if (!professions) return;
  const size = await pickSize(model, models.saes);
  if (!size) return;
  const request = { model: model.id, professions, seed: methodDefaults.seed, ...size };
  const estimate = async (call: CallOptions) => {
    const { find, ablate } = await engine.estimateShift(request, call);
    return { ...find, ablate };
  };
  const wordAblation = ({ ablate }: { readonly ablate: SearchEstimate }) =>
    vscode.l10n.t(
      'Finding features. Ablating and retraining takes {0} more.',
      wordSeconds(ablate.seconds).toLocaleLowerCase(vscode.env.language),
    );
  if (!(await confirmSearch(vscode.l10n.t('Run SHIFT (3/3)'), estimate, wordAblation))) return;
  shiftPanel.show();
  await shift.find({ modelName: model.name, modelHash: model.hash, request });
  const count = shift.findings?.features.length ?? 0;
  tellDone(services, vscode.l10n.t('SHIFT found {0} features to judge.', count));
}

/** Ablates what is marked. */
export async function ablateMarked(services: CommandServices): Promise<void> {
  const { models, shift } = services;
  await shift.ablate({ ...(await models.ensure()), saes: models.saes });
  tellDone(services, vscode.l10n.t('SHIFT is done: the features are ablated and the classifier retrained.'));
}

/** Says so when it cannot be seen. */
function tellDone({ shift, shiftPanel }: CommandServices, words: string): void {
  if (shiftPanel.isVisible || shift.running || !shift.findings) return;
  tellFinished(words, { isSeen: false, show: () => shiftPanel.show() });
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
  const title = vscode.l10n.t('Run SHIFT (1/3)');
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
  const below = saesBelow(model, saes);
  if (below.length === 0) {
    const middle = `blocks.${Math.floor(model.nLayers / 2)}.hook_resid_post`;
    const reason = `it has none at or below ${middle}, which the classifier reads; add one`;
    throw new EngineError('request.invalid', { what: `The SAEs of ${model.name}`, reason });
  }
  const all = below.map(({ id }) => id);
  const streams = saesOfStreams(below).map(({ id }) => id);
  const { trainCount, maxFeatures } = shiftDefaults;
  const few = { trainCount: 200, testCount: 160 };
  const describe = (saes: number, biographies: number): string =>
    vscode.l10n.t('{0} SAEs, {1} biographies, {2} features', saes, biographies, maxFeatures);
  const items: SizeItem[] = [
    {
      label: vscode.l10n.t('Streams'),
      detail: describe(streams.length, trainCount),
      size: { saes: streams },
    },
    {
      label: vscode.l10n.t('Quick Look'),
      detail: describe(streams.length, few.trainCount),
      size: { saes: streams, ...few },
    },
  ];
  if (all.length > streams.length) {
    items.unshift({
      label: vscode.l10n.t('Attention, MLPs and Streams'),
      detail: describe(all.length, trainCount),
      size: { saes: all },
    });
  }
  items[0] = { ...items[0]!, description: vscode.l10n.t('usual') };
  const chosen = await vscode.window.showQuickPick(items, {
    title: vscode.l10n.t('Run SHIFT (2/3)'),
    placeHolder: vscode.l10n.t('Whose features should be looked at?'),
    matchOnDetail: true,
  });
  return chosen?.size;
}
