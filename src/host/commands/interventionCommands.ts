/** Commands that put interventions on the stack and change them. */

import * as vscode from 'vscode';
import type { Edit, EditTarget, FeatureRef } from '../../shared/domain.ts';
import { quoteToken } from '../../shared/format.ts';
import { describeEdit } from '../describeEdit.ts';
import type { OtherPrompt } from '../prompt.ts';
import type { CommandServices } from '../services.ts';
import { pickFeature, pickHead, pickMlp } from './pickComponent.ts';
import { pickPrompt } from './pickPrompt.ts';
import { requirePrompt } from './promptCommands.ts';

/** Zeroes a head's output at every token. */
export async function ablateHead(services: CommandServices, given?: unknown): Promise<void> {
  await requirePrompt(services);
  const head = asHead(given) ?? (await pickHead(services, vscode.l10n.t('Ablate Head')));
  if (head) await push(services, { target: { kind: 'head', ...head }, action: { kind: 'zero' } });
}

/** Zeroes an MLP's output at every token. */
export async function ablateMlp(services: CommandServices): Promise<void> {
  await requirePrompt(services);
  const layer = await pickMlp(services, vscode.l10n.t('Ablate MLP'));
  if (layer !== undefined) await push(services, { target: { kind: 'mlp', layer }, action: { kind: 'zero' } });
}

/** Zeroes a feature at every token. */
export async function ablateFeature(services: CommandServices, given?: unknown): Promise<void> {
  await requirePrompt(services);
  const feature = asFeature(given) ?? (await pickFeature(services, vscode.l10n.t('Ablate Feature')));
  if (feature) await push(services, { target: featureTarget(feature), action: { kind: 'zero' } });
}

/** Adds a multiple of a feature's decoder direction at every token. */
export async function steerFeature(
  services: CommandServices,
  given?: unknown,
  amount?: unknown,
): Promise<void> {
  await requirePrompt(services);
  const feature = asFeature(given) ?? (await pickFeature(services, vscode.l10n.t('Steer With Feature')));
  if (!feature) return;
  const chosen = typeof amount === 'number' ? amount : await askAmount(services, feature);
  if (chosen === undefined) return;
  await push(services, { target: featureTarget(feature), action: { kind: 'add', amount: chosen } });
}

/** Replaces activations with those of another prompt. */
export async function patchFromPrompt(services: CommandServices): Promise<void> {
  await requirePrompt(services);
  const title = vscode.l10n.t('Patch From Another Prompt');
  const other = await pickPrompt(services, title);
  if (!other) return;
  const target = await pickPatchTarget(services, title, other);
  if (!target) return;
  const positions = await pickPositions(services, title);
  if (positions === undefined) return;
  await push(services, {
    target,
    action: { kind: 'patch', text: other.text },
    positions: positions === 'all' ? undefined : positions,
  });
}

/** Asks how strongly an intervention acts. */
export async function editStrength(services: CommandServices, given?: unknown): Promise<void> {
  const edit = await chooseEdit(services, given, vscode.l10n.t('Edit Strength'));
  if (!edit) return;
  const strength = await askNumber({
    title: describeEdit(edit, services.session.catalog),
    prompt: vscode.l10n.t('Strength: 0 changes nothing, 1 is the whole intervention.'),
    value: edit.strength,
  });
  if (strength !== undefined) services.session.interventions.change(edit.id, { strength });
}

/** Takes an intervention off the stack. */
export async function removeIntervention(services: CommandServices, given?: unknown): Promise<void> {
  const edit = await chooseEdit(services, given, vscode.l10n.t('Remove Intervention'));
  if (edit) services.session.interventions.remove(edit.id);
}

/** A head that a caller named; links and views can pass anything. */
function asHead(given: unknown): { readonly layer: number; readonly head: number } | undefined {
  const { layer, head } = (given ?? {}) as Partial<Record<string, unknown>>;
  const isCount = (value: unknown): value is number => Number.isInteger(value) && (value as number) >= 0;
  return isCount(layer) && isCount(head) ? { layer, head } : undefined;
}

/** A feature handed over by a link; nothing when it is of another shape. */
export function asFeature(given: unknown): FeatureRef | undefined {
  if (typeof given !== 'object' || given === null) return undefined;
  const { sae, index } = given as { sae?: unknown; index?: unknown };
  if (typeof sae !== 'string' || typeof index !== 'number' || !Number.isInteger(index) || index < 0)
    return undefined;
  return { sae, index };
}

async function push(
  { session }: CommandServices,
  edit: Pick<Edit, 'target' | 'action' | 'positions'>,
): Promise<void> {
  session.interventions.add(edit);
  await session.settled();
}

function featureTarget({ sae, index }: FeatureRef): EditTarget {
  return { kind: 'feature', feature: { sae, index } };
}

async function askAmount(services: CommandServices, feature: FeatureRef): Promise<number | undefined> {
  const info = await services.session.catalog.describe(feature);
  const known = info.maxActivation;
  return askNumber({
    title: vscode.l10n.t('Steer With Feature'),
    prompt:
      known === undefined
        ? vscode.l10n.t('How much to add, in units of activation; negative numbers push the other way.')
        : vscode.l10n.t(
            'How much to add, in units of activation. The most this feature was seen to do is {0}; negative numbers push the other way.',
            known.toPrecision(3),
          ),
    value: Number((known ?? 10).toPrecision(3)),
  });
}

async function askNumber(options: {
  readonly title: string;
  readonly prompt: string;
  readonly value: number;
}): Promise<number | undefined> {
  const isNumber = (text: string): boolean => text.trim() !== '' && Number.isFinite(Number(text));
  const text = await vscode.window.showInputBox({
    ...options,
    value: String(options.value),
    validateInput: (typed) =>
      isNumber(typed) ? undefined : vscode.l10n.t('Type a number, such as 0.5 or -2.'),
  });
  return text === undefined ? undefined : Number(text);
}

interface TargetItem extends vscode.QuickPickItem {
  readonly choose?: () => Promise<EditTarget | undefined>;
}

async function pickPatchTarget(
  services: CommandServices,
  title: string,
  other: OtherPrompt,
): Promise<EditTarget | undefined> {
  const { nLayers } = await services.models.ensure();
  const residual: TargetItem[] = Array.from({ length: nLayers }, (_, layer) => ({
    label: vscode.l10n.t('Residual stream before layer {0}', layer),
    choose: async () => ({ kind: 'hook', hook: `blocks.${layer}.hook_resid_pre` }),
  }));
  const head: TargetItem = {
    label: vscode.l10n.t('A head…'),
    choose: async () => {
      const choice = await pickHead(services, title);
      return choice && { kind: 'head', ...choice };
    },
  };
  const mlp: TargetItem = {
    label: vscode.l10n.t('An MLP…'),
    choose: async () => {
      const layer = await pickMlp(services, title);
      return layer === undefined ? undefined : { kind: 'mlp', layer };
    },
  };
  const chosen = await vscode.window.showQuickPick([head, mlp, ...residual], {
    title,
    placeHolder: vscode.l10n.t('What to take over from {0}', other.name),
  });
  return chosen?.choose?.();
}

async function pickPositions(
  { session }: CommandServices,
  title: string,
): Promise<readonly number[] | 'all' | undefined> {
  const { selected, look } = session;
  const token = look?.analysis.strip.tokens[selected];
  const here = {
    label: vscode.l10n.t('At the selected token'),
    description: token && `${quoteToken(token.text)} (${selected})`,
    positions: [selected] as const,
  };
  const everywhere = {
    label: vscode.l10n.t('At every token'),
    description: undefined,
    positions: 'all' as const,
  };
  const chosen = await vscode.window.showQuickPick(token ? [here, everywhere] : [everywhere], { title });
  return chosen?.positions;
}

async function chooseEdit(
  { session }: CommandServices,
  given: unknown,
  title: string,
): Promise<Edit | undefined> {
  const { edits } = session.interventions;
  const id = (given as { readonly edit?: { readonly id?: unknown } } | undefined)?.edit?.id;
  const named = edits.find((edit) => edit.id === id);
  if (named || edits.length === 0) return named;
  const items = edits.map((edit) => ({ label: describeEdit(edit, session.catalog), edit }));
  const chosen = await vscode.window.showQuickPick(items, { title });
  return chosen?.edit;
}
