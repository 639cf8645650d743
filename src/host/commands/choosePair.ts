/** The prompt that is looked at, as a pair: with the one it is compared with and its two answers, which are asked for when they are missing. */

import * as vscode from 'vscode';
import { EngineError } from '../../shared/errors.ts';
import type { PromptPairs } from '../../shared/task.ts';
import type { OtherPrompt, Prompt } from '../prompt.ts';
import type { CommandServices } from '../services.ts';
import { pickPrompt } from './pickPrompt.ts';
import { requirePrompt, setContrast } from './promptCommands.ts';
import { promptTitle } from './promptTitle.ts';

/** Two prompts with their answers. */
export interface ChosenPair {
  readonly prompt: Prompt;
  readonly other: OtherPrompt;
  readonly pairs: Extract<PromptPairs, { kind: 'pair' }>;
}

/** How the pair is called where it is offered. */
export function pairLabel({ session }: Pick<CommandServices, 'session'>): string {
  const other = session.other?.name;
  return other ? vscode.l10n.t('This prompt and {0}', other) : vscode.l10n.t('This prompt and another one…');
}

/**
 * Nothing when the user backs out.
 * @throws request.invalid when the prompts have not as many tokens: they are held against each other position by position
 */
export async function choosePair(
  services: CommandServices,
  command: string,
): Promise<ChosenPair | undefined> {
  const { session } = services;
  await requirePrompt(services);
  const { prompt } = session;
  if (!prompt) return undefined;
  const other = session.other ?? (await pickPrompt(services, promptTitle(command, prompt)));
  if (!other) return undefined;
  await requireSameLength(services, prompt.text, other.text);
  if (!session.other) session.compareWith(other);
  if (!session.contrast && !(await setContrast(services, command))) return undefined;
  const { contrast } = session;
  if (!contrast) return undefined;
  const pairs = {
    kind: 'pair',
    clean: prompt.text,
    corrupted: other.text,
    answers: [contrast.answer],
    wrongAnswers: [contrast.wrong],
  } as const;
  return { prompt, other, pairs };
}

async function requireSameLength(
  { engine, models }: CommandServices,
  clean: string,
  corrupted: string,
): Promise<void> {
  const { id } = await models.ensure();
  const compared = await engine.comparePrompts({ model: id, clean, corrupted });
  if (compared.equalLength) return;
  const [here, there] = [compared.clean.tokens.length, compared.corrupted.tokens.length];
  throw new EngineError('request.invalid', {
    what: 'The corrupted prompt',
    reason: `it has ${there} tokens and the clean one ${here}; patching goes position by position, so change words for others of as many tokens`,
  });
}
