/** Asks how a circuit is to be found: the method, what a node is, and how much is kept. Each answers nothing when left. */

import * as vscode from 'vscode';
import { formatNumber } from '../../shared/format.ts';
import type { NodeEffectMethod } from '../../shared/sparseCircuitApi.ts';

/** Steps of integrated gradients, unless a request says otherwise. */
const gradientSteps = 10;

/** How the effects of nodes are estimated, with what each way costs on so many sites. */
export async function pickMethod(title: string, sites: number): Promise<NodeEffectMethod | undefined> {
  const items: (vscode.QuickPickItem & { readonly method: NodeEffectMethod })[] = [
    {
      label: vscode.l10n.t('Integrated Gradients'),
      description: 'ig',
      detail: vscode.l10n.t(
        'Close to exact; {0} passes forward and back for each pair',
        formatNumber(gradientSteps * sites),
      ),
      method: 'ig',
    },
    {
      label: vscode.l10n.t('Attribution Patching'),
      description: 'atp',
      detail: vscode.l10n.t(
        'The quickest estimate, and poor on few pairs; one pass forward and back for each pair',
      ),
      method: 'atp',
    },
    {
      label: vscode.l10n.t('Exact Patching'),
      description: 'exact',
      detail: vscode.l10n.t('One pass for each active node of each pair, which takes long'),
      method: 'exact',
    },
  ];
  const placeHolder = vscode.l10n.t('How should the effects of nodes be estimated?');
  return (
    await vscode.window.showQuickPick(items, {
      title,
      placeHolder,
      matchOnDescription: true,
      ignoreFocusOut: true,
    })
  )?.method;
}

/** Whether nodes stand for all positions. */
export async function pickAggregation(title: string): Promise<'sum' | 'position' | undefined> {
  const items: (vscode.QuickPickItem & { readonly aggregation: 'sum' | 'position' })[] = [
    {
      label: vscode.l10n.t('All Positions Together'),
      detail: vscode.l10n.t('Prompts may differ in length'),
      aggregation: 'sum',
    },
    {
      label: vscode.l10n.t('By Position'),
      detail: vscode.l10n.t('Prompts of one length, such as a template’s'),
      aggregation: 'position',
    },
  ];
  const placeHolder = vscode.l10n.t('What is a node of the circuit?');
  return (await vscode.window.showQuickPick(items, { title, placeHolder, ignoreFocusOut: true }))
    ?.aggregation;
}

/** The smallest effects of nodes and of edges; none of them means the method's own, which follows the task. */
export async function askThresholds(title: string): Promise<readonly number[] | undefined> {
  const read = (value: string): number[] =>
    value
      .split(/[\s,;]+/)
      .filter((part) => part !== '')
      .map(Number);
  const text = await vscode.window.showInputBox({
    title,
    prompt: vscode.l10n.t(
      'Smallest effects of nodes and of edges, in units of the metric. Empty: 0.25 % of what the corrupted prompts change',
    ),
    placeHolder: '0.1 0.01',
    ignoreFocusOut: true,
    validateInput: (value) => {
      const numbers = read(value);
      const isFine = [0, 2].includes(numbers.length) && numbers.every((one) => one >= 0 && one < 1e6);
      return isFine
        ? undefined
        : vscode.l10n.t('Give two numbers of at least 0, such as 0.1 0.01, or nothing.');
    },
  });
  return text === undefined ? undefined : read(text);
}

/** Ways to judge edges. */
export type EdgeMethod = 'eap-ig' | 'eap-ig-activations' | 'eap' | 'acdc';

/** How edges are judged. */
export async function pickEdgeMethod(title: string): Promise<EdgeMethod | undefined> {
  const items: (vscode.QuickPickItem & { readonly method: EdgeMethod })[] = [
    {
      label: 'EAP-IG',
      detail: vscode.l10n.t('Integrated gradients over the input embeddings (Hanna et al. 2024)'),
      method: 'eap-ig',
    },
    {
      label: vscode.l10n.t('EAP-IG Along Activations'),
      detail: vscode.l10n.t(
        'Integrated gradients over what each head or MLP writes, one after the other: closest to exact, and slow',
      ),
      method: 'eap-ig-activations',
    },
    { label: 'EAP', detail: vscode.l10n.t('One backward pass (Syed et al. 2023)'), method: 'eap' },
    { label: 'ACDC', detail: vscode.l10n.t('Edge by edge, long (Conmy et al. 2023)'), method: 'acdc' },
  ];
  const placeHolder = vscode.l10n.t('How should edges be judged?');
  return (await vscode.window.showQuickPick(items, { title, placeHolder, ignoreFocusOut: true }))?.method;
}

/** The number of edges to keep, or the rise of the loss that keeps one. */
export async function askAmount(title: string, method: EdgeMethod): Promise<number | undefined> {
  const isCount = method !== 'acdc';
  const text = await vscode.window.showInputBox({
    title,
    prompt: isCount
      ? vscode.l10n.t('How many of the strongest edges?')
      : vscode.l10n.t('By how much must the loss rise for an edge to stay?'),
    value: isCount ? '100' : '0.01',
    ignoreFocusOut: true,
    validateInput: (value) => {
      if (isCount) {
        return /^[1-9]\d{0,5}$/.test(value.trim())
          ? undefined
          : vscode.l10n.t('Give a whole number of at least 1.');
      }
      const isFine = value.trim() !== '' && Number(value) >= 0 && Number(value) < 1e6;
      return isFine ? undefined : vscode.l10n.t('Give a number of at least 0.');
    },
  });
  return text === undefined ? undefined : Number(text);
}
