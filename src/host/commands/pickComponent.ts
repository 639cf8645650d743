/** Asks for a part of the model, each with its share of the logits where that is cheap to know. */

import * as vscode from 'vscode';
import type { ComponentAttribution } from '../../shared/analysis.ts';
import type { FeatureRef } from '../../shared/domain.ts';
import { isEngineError } from '../../shared/errors.ts';
import { formatHead, formatNumber, formatSigned, quoteToken } from '../../shared/format.ts';
import { featureName } from '../heat.ts';
import { describeForLog } from '../log.ts';
import type { CommandServices } from '../services.ts';
import { activeFeatures } from '../webviews/tokensState.ts';

/** A head, with its direct attribution. */
export interface HeadChoice {
  readonly layer: number;
  readonly head: number;
}

/** Asks for a head, strongest share first. */
export async function pickHead(services: CommandServices, title: string): Promise<HeadChoice | undefined> {
  const { nLayers, nHeads } = await services.models.ensure();
  const shares = await attribution(services);
  const items = Array.from({ length: nLayers * nHeads }, (_, number) => {
    const layer = Math.floor(number / nHeads);
    const head = number % nHeads;
    const value = shares.components.find((part) => part.layer === layer && part.head === head)?.value;
    return { label: vscode.l10n.t('Head {0}', formatHead(layer, head)), value, choice: { layer, head } };
  });
  return pickSorted(items, title, shares.what);
}

/** Asks for a layer's MLP, strongest share first. */
export async function pickMlp(services: CommandServices, title: string): Promise<number | undefined> {
  const { nLayers } = await services.models.ensure();
  const shares = await attribution(services);
  const items = Array.from({ length: nLayers }, (_, layer) => {
    const value = shares.components.find((part) => part.layer === layer && isMlp(part))?.value;
    return { label: vscode.l10n.t('MLP {0}', layer), value, choice: layer };
  });
  return pickSorted(items, title, shares.what);
}

/** Asks for one of the features that are active on the selected token. */
export async function pickFeature(
  services: CommandServices,
  title: string,
): Promise<(FeatureRef & { readonly activation: number }) | undefined> {
  const { session } = services;
  const { look, selected } = session;
  const features = look ? activeFeatures(session, look, selected) : [];
  const token = look?.analysis.strip.tokens[selected];
  if (!token || features.length === 0) {
    void vscode.window.showInformationMessage(
      vscode.l10n.t(
        'No feature is active on the selected token. Place the cursor on another token, or choose another SAE.',
      ),
    );
    return undefined;
  }
  const items = features.map((feature) => ({
    label: featureName(feature),
    description: formatNumber(feature.activation),
    detail: feature.labelSource && vscode.l10n.t('label from {0}', feature.labelSource),
    feature,
  }));
  const chosen = await vscode.window.showQuickPick(items, {
    title,
    placeHolder: vscode.l10n.t('Features of {0}, strongest first', quoteToken(token.text)),
    matchOnDetail: true,
  });
  return chosen?.feature;
}

async function attribution({ engine, session, log }: CommandServices): Promise<{
  readonly what: string;
  readonly components: readonly ComponentAttribution[];
}> {
  try {
    return await session.withRun(({ analysis }) =>
      engine.residualAttribution({ run: analysis.run, contrast: session.contrast }),
    );
  } catch (error) {
    if (isEngineError(error, 'engine.stopped')) throw error;
    // The list is as usable without its preview.
    log.warn(`No preview: ${describeForLog(error)}`);
    return { what: '', components: [] };
  }
}

function isMlp(part: ComponentAttribution): boolean {
  return part.head === undefined && /mlp/i.test(part.component);
}

async function pickSorted<Choice>(
  items: readonly { readonly label: string; readonly value: number | undefined; readonly choice: Choice }[],
  title: string,
  what: string,
): Promise<Choice | undefined> {
  const sorted = [...items].sort((one, other) => Math.abs(other.value ?? 0) - Math.abs(one.value ?? 0));
  const rows = sorted.map(({ label, value, choice }) => ({
    label,
    description: value === undefined ? undefined : formatSigned(value),
    choice,
  }));
  const chosen = await vscode.window.showQuickPick(rows, {
    title,
    placeHolder: what
      ? vscode.l10n.t('Direct contribution to {0}, strongest first', what)
      : vscode.l10n.t('Choose where to intervene'),
  });
  return chosen?.choice;
}
