/** Models in words: their family, how they are read, and whether that reading was compared with another. */

import * as vscode from 'vscode';
import type { BosPolicy, ModelInfo, ParityBadge } from '../shared/domain.ts';
import { formatNumber, formatToken } from '../shared/format.ts';
import { parityVerdict } from '../shared/parityVerdict.ts';

const families: Readonly<Record<string, string>> = {
  gpt2: 'GPT-2',
  gpt_neo: 'GPT-Neo',
  gpt_neox: 'GPT-NeoX',
  opt: 'OPT',
  llama: 'Llama',
  mistral: 'Mistral',
  qwen2: 'Qwen2',
  qwen3: 'Qwen3',
  gemma: 'Gemma',
  gemma2: 'Gemma 2',
  gemma3: 'Gemma 3',
  gemma3_text: 'Gemma 3',
  phi: 'Phi-2',
  phi3: 'Phi-3',
  olmo: 'OLMo',
  olmo2: 'OLMo 2',
};

/** A family as people write it. */
export function familyName(family: string): string {
  return families[family] ?? family;
}

/** What stands before every prompt: `<|endoftext|>`, or `none`. */
export function describeBos({ bos, bosToken }: Pick<ModelInfo, 'bos' | 'bosToken'>): string {
  return bos === 'none' ? vscode.l10n.t('none') : formatToken(bosToken ?? 'BOS');
}

/** The user's wish in words. */
export function describeBosPolicy(policy: BosPolicy): string {
  const words = {
    auto: vscode.l10n.t('as the tokenizer says'),
    always: vscode.l10n.t('always'),
    never: vscode.l10n.t('never'),
  };
  return words[policy];
}

/** Whether Fovea's numbers for this model were compared with those of another implementation. */
export function describeParity(parity: ParityBadge): string {
  const { compared, reference, worstLogit } = parity;
  if (compared === 'none') return vscode.l10n.t('not compared');
  const against = reference ?? vscode.l10n.t('another implementation');
  const checked =
    compared === 'model'
      ? vscode.l10n.t('checked against {0}', against)
      : vscode.l10n.t('family checked against {0}', against);
  if (worstLogit === undefined) return checked;
  return vscode.l10n.t('{0}: worst logit difference {1}', checked, formatNumber(worstLogit));
}

/** The same in one or two words. */
export function parityBadge(parity: ParityBadge): string {
  const { compared } = parity;
  if (parityVerdict(parity) === 'different') return vscode.l10n.t('reads differently');
  if (compared === 'model') return vscode.l10n.t('checked');
  return compared === 'family' ? vscode.l10n.t('family checked') : vscode.l10n.t('not compared');
}

/** Everything that was compared, one line each. */
export function parityLines(parity: ParityBadge): readonly string[] {
  const { hookReference, worstHook } = parity;
  const lines = [describeParity(parity)];
  if (parityVerdict(parity) === 'different') {
    lines.push(
      vscode.l10n.t('That is more than rounding: numbers shown for this model are not the reference’s.'),
    );
  }
  if (parity.compared === 'family') {
    lines.push(vscode.l10n.t('A small model of the same family was compared; these weights were not.'));
  }
  if (hookReference !== undefined) {
    lines.push(
      worstHook === undefined
        ? vscode.l10n.t('Hooks checked against {0}', hookReference)
        : vscode.l10n.t(
            'Hooks checked against {0}: worst relative difference {1}',
            hookReference,
            formatNumber(worstHook),
          ),
    );
  }
  if (parity.problem !== undefined) lines.push(parity.problem);
  return lines;
}
