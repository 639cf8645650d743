/** What can be done with a cell beside looking at its numbers: its token, its attention, its feature, an intervention. */

import * as vscode from 'vscode';
import type { EditAction } from '../../shared/domain.ts';
import { EngineError } from '../../shared/errors.ts';
import { type CellPlace, cellTarget, componentName } from '../../shared/sweepCell.ts';
import type { CellAction } from '../../shared/sweepViewApi.ts';
import { requireModelOf } from '../requireModelOf.ts';
import type { Services } from '../services.ts';
import type { TokensPanel } from '../webviews/tokensPanel.ts';
import { roleRange } from './findPrompt.ts';
import { inspectSwept, placeOfCell, revealCell, sweptPair } from './revealCell.ts';
import { foundWith, type SweepRecord } from './sweepRecord.ts';

/** What the actions need. */
export type CellServices = Pick<Services, 'session' | 'documents' | 'engine' | 'models' | 'sweeps'> & {
  readonly tokensPanel: TokensPanel;
};

/** Does it. @throws request.invalid when the cell's component, prompt or model does not allow it. */
export async function actOnCell(services: CellServices, cell: number, action: CellAction): Promise<void> {
  const record = services.sweeps.current;
  const place = record && placeOfCell(record, cell);
  if (!record || !place) return;
  switch (action) {
    case 'clean':
    case 'corrupted':
      return showToken(services, record, place, action);
    case 'attention':
      return showAttention(services, record, place);
    case 'feature':
      return showFeature(services, record, place);
    case 'ablate':
      return intervene(services, record, place, { kind: 'zero' });
    case 'patch': {
      const pair = await sweptPair(record);
      return pair && intervene(services, record, place, { kind: 'patch', text: pair.corrupted });
    }
    case 'copy':
      return copyCell(record, place, cell);
  }
}

async function showToken(
  services: CellServices,
  record: SweepRecord,
  place: CellPlace,
  side: 'clean' | 'corrupted',
): Promise<void> {
  if (await revealCell(services, record, place, side)) return;
  const message =
    side === 'clean'
      ? vscode.l10n.t('The prompt is no longer in the text that the sweep was made from.')
      : vscode.l10n.t('The corrupted prompt is in no document; it was typed, or its text has changed.');
  void vscode.window.showInformationMessage(message);
}

async function showAttention(
  services: CellServices,
  record: SweepRecord,
  { layer, head, position }: CellPlace,
): Promise<void> {
  if (layer === undefined || head === undefined) return;
  await requireSwept(services, record);
  if (position !== undefined) services.session.selectToken(position);
  services.tokensPanel.showHead(layer, head);
}

async function showFeature(
  services: CellServices,
  record: SweepRecord,
  { feature, position }: CellPlace,
): Promise<void> {
  const { question } = record;
  if (question.method === 'path' || question.target.kind !== 'features' || typeof feature !== 'number')
    return;
  await requireSwept(services, record);
  if (position !== undefined) services.session.selectToken(position);
  services.session.selectFeature({ sae: question.target.sae, index: feature });
  services.tokensPanel.show();
}

async function intervene(
  services: CellServices,
  record: SweepRecord,
  place: CellPlace,
  action: EditAction,
): Promise<void> {
  const target = cellTarget(place, record.question);
  if (!target) {
    throw new EngineError('request.invalid', {
      what: componentName(place),
      reason: 'it cannot be changed while you type; heads, MLPs, streams and features can',
    });
  }
  await requireSwept(services, record);
  const position = place.position ?? (await positionOfRole(services, record, place));
  services.session.interventions.add({
    target,
    action,
    ...(position !== undefined && { positions: [position] }),
  });
  await services.session.settled();
}

/** Where the prompt that is looked at has the cell's role: at the last token of its words, as the engine counts. */
async function positionOfRole(
  { session }: CellServices,
  record: SweepRecord,
  { role }: CellPlace,
): Promise<number | undefined> {
  const line = role === undefined ? undefined : (await sweptPair(record))?.line;
  const range = line && roleRange(line, role ?? '');
  const tokens = session.look?.analysis.strip.tokens ?? [];
  const position = tokens.findIndex(({ start, end }) => range && start < range.end && end >= range.end);
  return position < 0 ? undefined : position;
}

/** @throws request.invalid when another model is open, or the clean prompt is gone */
async function requireSwept(services: CellServices, record: SweepRecord): Promise<void> {
  const { models } = services;
  requireModelOf(foundWith(record), { ...(await models.ensure()), saes: models.saes }, 'The sweep');
  if (await inspectSwept(services, record)) return;
  throw new EngineError('request.invalid', {
    what: 'The clean prompt of the sweep',
    reason: 'its text is no longer where it was; open it, and inspect it',
  });
}

async function copyCell({ cells, outline }: SweepRecord, place: CellPlace, cell: number): Promise<void> {
  const where = place.role ?? place.position;
  const values = [cells.values[cell], cells.raw[cell]];
  const fields = [componentName(place), where, ...values].filter((field) => field !== undefined);
  await vscode.env.clipboard.writeText(fields.join('\t'));
  const metric = outline?.metric ?? '';
  vscode.window.setStatusBarMessage(vscode.l10n.t('Component, value and {0} copied', metric), 2000);
}
