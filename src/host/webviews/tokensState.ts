/** Everything the token panel draws, gathered from the session. */

import * as vscode from 'vscode';
import type { FeatureRef } from '../../shared/domain.ts';
import type { ActiveFeature, TokenHeat, TokensState } from '../../shared/viewApi.ts';
import { noteOnSae } from '../describeSae.ts';
import type { Look } from '../prompt.ts';
import type { PromptSession } from '../promptSession.ts';
import { sessionMessage } from './viewMessage.ts';

/** The panel's state now. */
export function tokensState(session: PromptSession): TokensState {
  const { look, models, selected } = session;
  const analysis = look?.analysis;
  return {
    message: sessionMessage(session),
    computing: session.computing,
    title: look?.prompt.name ?? session.prompt?.name ?? '',
    model: models.model,
    saes: models.saes,
    sae: models.sae,
    saeNote: models.sae && noteOnSae(models.sae, models.model),
    run: analysis?.run,
    strip: analysis?.strip,
    heat: look && namedHeat(look),
    probabilities: analysis?.probabilities,
    selected,
    selectedFeature: session.selectedFeature,
    pinned: session.pinned,
    features: look ? activeFeatures(session, look, selected) : [],
    predictions: analysis?.predictions[selected] ?? [],
    attention: analysis?.attention[selected],
    contrast: session.contrast,
    contrastValue: analysis?.contrast,
    interventions: session.interventions.active.length,
    effect: analysis?.effect,
    comparison: look?.comparison,
    milliseconds: analysis?.milliseconds,
    reused: analysis?.reused,
    provenance: analysis?.provenance,
  };
}

/** The strongest features of a position, strongest first. */
export function activeFeatures(
  session: PromptSession,
  look: Look,
  position: number,
): readonly ActiveFeature[] {
  const active: ActiveFeature[] = [];
  for (const top of look.analysis.features) {
    for (let rank = 0; rank < top.k; rank++) {
      const index = top.indices[position * top.k + rank] ?? -1;
      if (index < 0) continue;
      const feature: FeatureRef = { sae: top.sae, index };
      active.push({
        ...session.catalog.get(feature),
        activation: top.activations[position * top.k + rank] ?? 0,
        pinned: session.isPinned(feature),
      });
    }
  }
  return active;
}

function namedHeat({ heat }: Look): TokenHeat | undefined {
  if (heat?.kind !== 'strongest') return heat;
  return { ...heat, title: vscode.l10n.t('Strongest feature of each token') };
}
