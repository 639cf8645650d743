/** Why a circuit cannot be evaluated, in words. */

import * as vscode from 'vscode';
import type { Obstacle } from './localCircuit.ts';

/** What is in the way, and what to do about it. */
export function wordObstacle(obstacle: Obstacle): string {
  switch (obstacle.kind) {
    case 'noQuestion':
      return vscode.l10n.t('The file does not say on which prompts and answers the circuit was found.');
    case 'unknownModel':
      return vscode.l10n.t('The file does not say with which weights of {0} it was made.', obstacle.made);
    case 'otherModel':
      return vscode.l10n.t(
        'The circuit was found in {0}, and {1} with other weights is open. Choose that model to evaluate it.',
        obstacle.made,
        obstacle.open,
      );
    case 'otherBos':
      return obstacle.made === 'prepended'
        ? vscode.l10n.t(
            'Found with a BOS token; prompts begin without one now. “Choose BOS Policy…” changes it.',
          )
        : vscode.l10n.t(
            'Found without a BOS token; prompts begin with one now. “Choose BOS Policy…” changes it.',
          );
    case 'otherPrecision':
      return vscode.l10n.t(
        'The circuit was found with {0} weights, and {1} ones are open.',
        obstacle.made,
        obstacle.open,
      );
    case 'missingSae':
      return vscode.l10n.t('The circuit has features of an SAE at {0}, and none is loaded.', obstacle.hook);
    case 'otherSae':
      return vscode.l10n.t(
        'The circuit has features of another SAE at {0} than the loaded one.',
        obstacle.hook,
      );
  }
}
