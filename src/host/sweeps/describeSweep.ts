/** Sweeps in words: what is changed, in which direction, on which prompts. */

import * as vscode from 'vscode';
import { formatHead, formatText } from '../../shared/format.ts';
import type { SweepQuestion } from '../../shared/sweepViewApi.ts';
import type { ModelStore } from '../modelStore.ts';
import type { SweepRecord } from './sweepRecord.ts';

/** What is changed and how, e.g. `resid_pre · denoising`. */
export function sweepTitle(question: SweepQuestion, models: Pick<ModelStore, 'saes'>): string {
  const how = methodName(question);
  return [...what(question, models), how].join(' · ');
}

function what(question: SweepQuestion, { saes }: Pick<ModelStore, 'saes'>): readonly string[] {
  if (question.method === 'path') {
    const receivers = question.receivers.map(
      ({ input, layer, head }) => `${input} ${formatHead(layer, head)}`,
    );
    const to = receivers.length === 0 ? vscode.l10n.t('logits') : receivers.join(', ');
    return [vscode.l10n.t('paths to {0}', to)];
  }
  const { target } = question;
  if (target.kind === 'sweep') return [target.name];
  const sae = saes.find(({ id }) => id === target.sae);
  const features = vscode.l10n.t('features of {0}', formatText(sae?.name ?? target.sae));
  return target.by === 'position' ? [features, vscode.l10n.t('by position')] : [features];
}

function methodName(question: SweepQuestion): string {
  switch (question.method) {
    case 'patch':
      return question.direction === 'noising' ? vscode.l10n.t('noising') : vscode.l10n.t('denoising');
    case 'path':
      return vscode.l10n.t('path patching');
    case 'ablate':
      return ablationName(question.ablation);
  }
}

function ablationName(ablation: Extract<SweepQuestion, { method: 'ablate' }>['ablation']): string {
  switch (ablation.kind) {
    case 'zero':
      return vscode.l10n.t('zero ablation');
    case 'resample':
      return vscode.l10n.t('resample ablation');
    case 'mean':
      return vscode.l10n.t('mean ablation ({0})', ablation.over);
  }
}

/** The prompts in a few words: the clean one, or the task. */
export function sweepSubject({ question: { pairs } }: Pick<SweepRecord, 'question'>): string {
  if (pairs.kind === 'pair') return formatText(pairs.clean);
  const { task } = pairs;
  return formatText(task.kind === 'file' ? task.path.slice(task.path.lastIndexOf('/') + 1) : task.name);
}
