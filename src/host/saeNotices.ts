/** Tells the user when an SAE turns out not to be read the way it was trained, and what can be done. */

import * as vscode from 'vscode';
import type { SaeInfo } from '../shared/domain.ts';
import { pickReading, readSae } from './commands/saeCommands.ts';
import { runCommand } from './contributions.ts';
import { architectureName, describeConvention, formatVariance, saeName, siteName } from './describeSae.ts';
import type { Disposes } from './disposable.ts';
import { plainMessage } from './plainTitle.ts';
import type { SaeFinding } from './saeChecks.ts';
import type { Services } from './services.ts';
import { showError } from './wordError.ts';

type NoticeServices = Pick<Services, 'checks' | 'models' | 'log'>;

/** Follows the checks; a good verdict is told by the view alone. */
export function tellFindings(services: NoticeServices): Disposes {
  return services.checks.onDidFind((finding) => {
    const telling = finding.check.verdict === 'other' ? offerReading(services, finding) : undefined;
    const warning = finding.check.verdict === 'poor' ? warnOfPoor(services, finding) : undefined;
    (telling ?? warning)?.then(undefined, (error: unknown) => showError(error, services.log));
  });
}

async function offerReading(services: NoticeServices, { sae, check }: SaeFinding): Promise<void> {
  const [best] = check.alternatives;
  if (!best) return;
  const use = vscode.l10n.t('Use It');
  const isDeclared = Object.keys(check.current.convention).length === 0;
  const keep = isDeclared ? vscode.l10n.t('Keep as Declared') : vscode.l10n.t('Keep as It Is');
  const details = vscode.l10n.t('Details');
  const message = vscode.l10n.t(
    isDeclared
      ? 'The SAE "{0}" explains {1} of the variance as its files declare it, and {2} with: {3}. Read it so?'
      : 'The SAE "{0}" explains {1} of the variance as it is read now, and {2} with: {3}. Read it so?',
    nameOf(services, sae),
    formatVariance(check.current.explainedVariance),
    formatVariance(best.explainedVariance),
    describeConvention(best.convention),
  );
  const answer = await vscode.window.showInformationMessage(plainMessage(message), use, keep, details);
  if (answer === use) await readSae(services, sae, best.convention);
  if (answer === details) await pickReading(services, sae, check);
}

async function warnOfPoor(services: NoticeServices, { sae, model, check }: SaeFinding): Promise<void> {
  const choose = vscode.l10n.t('Choose SAE…');
  const details = vscode.l10n.t('Details');
  const message = vscode.l10n.t(
    'The SAE "{0}" explains only {1} of the variance in {2}, and no other convention helps. It may belong to another model or hook; its features mean little here.',
    nameOf(services, sae),
    formatVariance(check.current.explainedVariance),
    model.name,
  );
  const answer = await vscode.window.showWarningMessage(plainMessage(message), choose, details);
  if (answer === choose) await runCommand('chooseSae');
  if (answer === details) await pickReading(services, sae, check);
}

/** Its place, and its name where there are others. */
function nameOf({ models }: NoticeServices, sae: SaeInfo): string {
  const place = vscode.l10n.t('layer {0} · {1}', sae.layer, siteName(sae));
  const name = saeName(sae, models.saes);
  return name === architectureName(sae) ? place : `${name}, ${place}`;
}
