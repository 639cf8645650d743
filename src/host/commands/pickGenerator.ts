/** Asks for pairs that are written by the dozen: which generator, which kinds of them, and how many. */

import * as vscode from 'vscode';
import {
  agreementStructures,
  type GeneratedTask,
  type TaskGenerator,
  type TaskOptions,
  taskGenerators,
} from '../../shared/task.ts';

interface GeneratorItem extends vscode.QuickPickItem {
  readonly generator: TaskGenerator;
}

/** What to ask for under which title, and how many pairs are usual. */
export interface GeneratorQuestion {
  readonly title: string;
  readonly usual: number;
}

/** The pairs to write, with a seed of their own; nothing when the user backs out. */
export async function pickGenerated({ title, usual }: GeneratorQuestion): Promise<GeneratedTask | undefined> {
  const chosen = await vscode.window.showQuickPick(generatorItems(), {
    title,
    placeHolder: vscode.l10n.t('What should the pairs be about?'),
    ignoreFocusOut: true,
    matchOnDescription: true,
    matchOnDetail: true,
  });
  if (!chosen) return undefined;
  const { generator } = chosen;
  const options = generator === 'agreement' ? await pickStructure(title) : {};
  const count = options && (await askCount(title, usual));
  if (count === undefined) return undefined;
  const hasOptions = Object.keys(options ?? {}).length > 0;
  return { name: generator, count, seed: freshSeed(), ...(hasOptions && { options }) };
}

/** What a generated task is called: `ioi`, `agreement nounpp`. */
export function nameOfGenerated({ name, options }: GeneratedTask): string {
  return [name, options?.structure].filter((part) => part !== undefined).join(' ');
}

function generatorItems(): GeneratorItem[] {
  const about: Readonly<Record<TaskGenerator, readonly [label: string, detail: string]>> = {
    ioi: [
      vscode.l10n.t('Indirect Objects'),
      vscode.l10n.t('When Mary and John went to the store, John gave a drink to — Mary'),
    ],
    agreement: [vscode.l10n.t('Agreement'), vscode.l10n.t('The keys near the cabinet — are')],
    greaterThan: [
      vscode.l10n.t('Greater Than'),
      vscode.l10n.t('The war lasted from the year 1732 to the year 17 — 33 to 99'),
    ],
    induction: [vscode.l10n.t('Induction'), vscode.l10n.t('lamp river cup lamp river — cup')],
    pronoun: [vscode.l10n.t('Pronouns'), vscode.l10n.t('Yesterday Mary stayed at home because — she')],
    bios: [
      vscode.l10n.t('Biographies'),
      vscode.l10n.t('She works at a hospital and has learned to care for patients. She is a — nurse'),
    ],
  };
  return taskGenerators.map((generator) => {
    const [label, detail] = about[generator];
    return { label, description: generator, detail, generator };
  });
}

/** Which sentences of agreement; no option at all is all of them. */
async function pickStructure(title: string): Promise<TaskOptions | undefined> {
  const { t } = vscode.l10n;
  const about: Readonly<Record<(typeof agreementStructures)[number], string>> = {
    simple: t('The keys — are'),
    nounpp: t('The keys near the cabinet — are'),
    rc: t('The keys that the man likes — are'),
    within_rc: t('The keys that the man — likes'),
  };
  const all: vscode.QuickPickItem & { readonly options: TaskOptions } = {
    label: t('All structures, mixed'),
    options: {},
  };
  const items = agreementStructures.map((structure) => ({
    label: structure,
    detail: about[structure],
    options: { structure },
  }));
  const chosen = await vscode.window.showQuickPick([all, ...items], {
    title,
    placeHolder: t('Which sentences?'),
    ignoreFocusOut: true,
    matchOnDetail: true,
  });
  return chosen?.options;
}

async function askCount(title: string, usual: number): Promise<number | undefined> {
  const text = await vscode.window.showInputBox({
    title,
    prompt: vscode.l10n.t('How many pairs?'),
    value: String(usual),
    ignoreFocusOut: true,
    validateInput: (value) =>
      isCount(value) ? undefined : vscode.l10n.t('Give a whole number from 1 to 10,000.'),
  });
  return text === undefined ? undefined : Number(text);
}

function isCount(value: string): boolean {
  return /^\d{1,5}$/.test(value.trim()) && Number(value) >= 1 && Number(value) <= 10_000;
}

/** Another one each time; it is kept with the pairs, so that they can be made again. */
function freshSeed(): number {
  return Math.floor(Math.random() * 1_000_000);
}
