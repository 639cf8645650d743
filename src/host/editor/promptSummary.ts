/** The words over a prompt, as short as they can be read: what looks at it, its contrast, and the name of another prompt. */

import * as vscode from 'vscode';
import type { Contrast, Token } from '../../shared/domain.ts';
import { formatSigned, formatToken, quoteToken } from '../../shared/format.ts';
import { plainTitle } from '../plainTitle.ts';
import type { OtherPrompt } from '../prompt.ts';

/** What a link says, and what it says in full. */
export interface LensWords {
  readonly title: string;
  readonly tooltip: string;
}

/** Characters of a name and of an answer that are shown. */
const shown = { name: 18, answer: 10 } as const;

/** The model, the number of tokens and the SAE: `mini · 17 tokens · L2 resid_post`. */
export function promptSummary(model: string, sae: string | undefined, tokens: readonly Token[]): LensWords {
  const noSae = vscode.l10n.t('no SAE');
  const count = tokens.length === 1 ? vscode.l10n.t('1 token') : vscode.l10n.t('{0} tokens', tokens.length);
  const before = tokens.find(({ special }) => special);
  const counted = before
    ? vscode.l10n.t('{0} tokens with {1}', tokens.length, formatToken(before.text))
    : count;
  const title = [shortName(model), count, sae === undefined ? noSae : shortHook(sae)];
  return {
    title: title.map(plainTitle).join(' · '),
    tooltip: [model, sae ?? noSae, counted].join(' · '),
  };
}

/** The contrast, with its value where that is known: `" Mary" − " John" +3.1`. */
export function contrastTitle({ answer, wrong }: Contrast, value: number | undefined): LensWords {
  const worth = value === undefined ? '' : ` ${formatSigned(value)}`;
  const inner = (text: string): string => quoteToken(cut(text, shown.answer));
  return {
    title: plainTitle(`${inner(answer)} − ${inner(wrong)}${worth}`),
    tooltip: `${quoteToken(answer)} − ${quoteToken(wrong)}${worth}`,
  };
}

/** What another prompt is called in one or two words: its file without the ending, and `typed` for one without a file. */
export function otherName({ name, uri }: OtherPrompt): string {
  if (uri === undefined) return vscode.l10n.t('typed');
  return shortName(name.replace(/(\.prompt)?\.txt$/, ''));
}

/** A name with its end cut off where it is long; of a repository, the part after the owner. */
export function shortName(name: string): string {
  return cut(name.slice(name.lastIndexOf('/') + 1), shown.name);
}

/** `blocks.2.hook_resid_post` as `L2 resid_post`; other names as they are, cut where they are long. */
function shortHook(name: string): string {
  const hook = /^blocks\.(\d+)\.(.+)$/.exec(name);
  if (!hook) return shortName(name);
  return `L${hook[1]} ${cut((hook[2] ?? '').replace('hook_', ''), shown.name)}`;
}

function cut(text: string, most: number): string {
  const letters = Array.from(text);
  return letters.length <= most ? text : `${letters.slice(0, most - 1).join('')}…`;
}
