/** Asks what a sweep changes: streams, outputs, heads, features, by patching, ablation or along paths; and in which direction. */

import * as vscode from 'vscode';
import { methodDefaults } from '../../shared/methodDefaults.ts';
import type { PathReceiver, PromptPairs, SweepName, SweepTarget } from '../../shared/patchingApi.ts';
import type { SweepQuestion } from '../../shared/sweepViewApi.ts';
import type { CommandServices } from '../services.ts';
import { pickHead } from './pickComponent.ts';

/** The prompts of a sweep, and the roles that take the place of positions in a task. */
export interface SweptPairs {
  readonly pairs: PromptPairs;
  readonly roles?: readonly string[];
}

interface SweepItem extends vscode.QuickPickItem {
  readonly ask?: () => Promise<SweepQuestion | undefined>;
}

type Ask = (target: SweepTarget) => Promise<SweepQuestion | undefined>;

/** The question, without a metric of its own; nothing when the user backs out. */
export async function pickSweep(
  services: CommandServices,
  { pairs, roles }: SweptPairs,
): Promise<SweepQuestion | undefined> {
  const patch: Ask = async (target) => {
    const direction = await pickDirection();
    return direction && { method: 'patch', pairs, target, direction };
  };
  const items = [
    ...sweepItems(patch, roles),
    ...patchedFeatures(services, patch),
    ...ablationItems(services, { pairs, roles }),
    ...pathItems(services, pairs),
  ];
  const chosen = await vscode.window.showQuickPick(items, {
    title: vscode.l10n.t('Sweep Patches'),
    placeHolder: vscode.l10n.t('What to patch, one place after the other'),
    matchOnDescription: true,
    matchOnDetail: true,
  });
  return chosen?.ask?.();
}

function sweepItems(ask: Ask, roles: readonly string[] | undefined): SweepItem[] {
  const item = (name: SweepName, label: string): SweepItem => ({
    label,
    description: name,
    ask: () => ask(namedTarget(name, roles)),
  });
  const { t } = vscode.l10n;
  return [
    heading(t('Residual stream, by layer and position')),
    item('resid_pre', t('Residual stream before every layer')),
    item('resid_mid', t('Residual stream between attention and MLP')),
    item('resid_post', t('Residual stream after every layer')),
    heading(t('Attention and MLP outputs')),
    item('attn_out', t('Attention outputs, by position')),
    item('mlp_out', t('MLP outputs, by position')),
    item('block_every', t('Streams, attention and MLPs together, by position')),
    item('attn_out_all_pos', t('Attention outputs, all positions at once')),
    item('mlp_out_all_pos', t('MLP outputs, all positions at once')),
    heading(t('Heads, all positions at once')),
    item('attn_head_out_all_pos', t('Outputs of all heads')),
    item('attn_head_q_all_pos', t('Queries of all heads')),
    item('attn_head_k_all_pos', t('Keys of all heads')),
    item('attn_head_v_all_pos', t('Values of all heads')),
    item('attn_head_pattern_all_pos', t('Attention patterns of all heads')),
    item('attn_head_all_pos_every', t('Outputs, queries, keys, values and patterns together')),
    heading(t('Heads, by position')),
    item('attn_head_out_by_pos', t('Outputs of all heads, by position')),
    item('attn_head_q_by_pos', t('Queries of all heads, by position')),
    item('attn_head_k_by_pos', t('Keys of all heads, by position')),
    item('attn_head_v_by_pos', t('Values of all heads, by position')),
    item('attn_head_pattern_by_pos', t('Attention patterns, by the position that attends')),
    item('attn_head_pattern_dest_src_pos', t('Attention patterns, from every position to every position')),
    item('attn_head_by_pos_every', t('Outputs, queries, keys, values and patterns together, by position')),
  ];
}

function namedTarget(name: SweepName, roles: readonly string[] | undefined): SweepTarget {
  return { kind: 'sweep', name, ...(roles && { roles }) };
}

/** Features to patch when they go one by one, and when they go by position as well. */
const strongest = { all: 100, position: 20 } as const;

interface FeatureWords {
  readonly heading: string;
  readonly all: string;
  readonly position: string;
}

/** Features of the chosen SAE, each with a cell for its error. */
function featureItems({ models }: CommandServices, ask: Ask, words: FeatureWords): SweepItem[] {
  const { sae } = models;
  if (!sae) return [];
  const item = (by: 'all' | 'position'): SweepItem => ({
    label: words[by],
    description: sae.name,
    ask: () =>
      ask({ kind: 'features', sae: sae.id, features: { strongest: strongest[by] }, error: true, by }),
  });
  return [heading(words.heading), item('all'), item('position')];
}

function patchedFeatures(services: CommandServices, ask: Ask): SweepItem[] {
  const { t } = vscode.l10n;
  return featureItems(services, ask, {
    heading: t('SAE features'),
    all: t('The {0} features that differ most, all positions at once', strongest.all),
    position: t('The {0} features that differ most, by position', strongest.position),
  });
}

function ablationItems(services: CommandServices, { pairs, roles }: SweptPairs): SweepItem[] {
  const ablate: Ask = async (target) => {
    const ablation = await pickAblation(pairs);
    return ablation && { method: 'ablate', pairs, target, ablation };
  };
  const item = (label: string, name: SweepName): SweepItem => ({
    label,
    description: vscode.l10n.t('{0}, in the clean prompt', name),
    ask: () => ablate(namedTarget(name, roles)),
  });
  const { t } = vscode.l10n;
  return [
    heading(t('Ablation, all positions at once')),
    item(t('Ablate every head'), 'attn_head_out_all_pos'),
    item(t('Ablate every attention output'), 'attn_out_all_pos'),
    item(t('Ablate every MLP'), 'mlp_out_all_pos'),
    heading(t('Ablation, by position')),
    item(t('Ablate every head, by position'), 'attn_head_out_by_pos'),
    item(t('Ablate every attention output, by position'), 'attn_out'),
    item(t('Ablate every MLP, by position'), 'mlp_out'),
    item(t('Ablate the residual stream before every layer'), 'resid_pre'),
    item(t('Ablate the residual stream between attention and MLP'), 'resid_mid'),
    item(t('Ablate the residual stream after every layer'), 'resid_post'),
    item(t('Ablate streams, attention and MLPs together'), 'block_every'),
    ...featureItems(services, ablate, {
      heading: t('Ablation of SAE features'),
      all: t('Ablate the {0} features that differ most and the SAE error', strongest.all),
      position: t(
        'Ablate the {0} features that differ most and the SAE error, by position',
        strongest.position,
      ),
    }),
  ];
}

async function pickAblation(pairs: PromptPairs) {
  const { t } = vscode.l10n;
  const reference = 'corrupted' as const;
  const mean = (label: string, over: 'task' | 'position' | 'template') => ({
    label,
    ablation: { kind: 'mean' as const, over, reference },
  });
  const isTask = pairs.kind === 'task';
  const meanOfClean = {
    label: t('Mean over the clean prompts'),
    ablation: { kind: 'mean' as const, over: 'task' as const, reference: 'clean' as const },
  };
  const chosen = await vscode.window.showQuickPick(
    [
      { label: t('Zero'), ablation: { kind: 'zero' as const } },
      mean(t('Mean over the corrupted prompts'), 'task'),
      ...(isTask ? [meanOfClean] : []),
      ...(isTask ? [mean(t('Mean per position'), 'position'), mean(t('Mean per template'), 'template')] : []),
      ...(isTask
        ? [
            {
              label: t('Another corrupted prompt (resample)'),
              ablation: { kind: 'resample' as const, reference, seed: methodDefaults.seed },
            },
          ]
        : []),
    ],
    { title: t('Sweep Patches'), placeHolder: t('What takes the place of what is ablated') },
  );
  return chosen?.ablation;
}

function pathItems(services: CommandServices, pairs: PromptPairs): SweepItem[] {
  const { t } = vscode.l10n;
  const paths = (receivers: readonly PathReceiver[]): SweepQuestion => ({
    method: 'path',
    pairs,
    receivers,
    mlps: true,
  });
  const toHead = (label: string, input: PathReceiver['input']): SweepItem => ({
    label,
    ask: async () => {
      const head = await pickHead(services, label);
      return head && paths([{ ...head, input }]);
    },
  });
  return [
    heading(t('Path patching')),
    { label: t('Paths from every head and MLP to the logits'), ask: async () => paths([]) },
    toHead(t('Paths to the queries of a head…'), 'q'),
    toHead(t('Paths to the keys of a head…'), 'k'),
    toHead(t('Paths to the values of a head…'), 'v'),
  ];
}

async function pickDirection(): Promise<'denoising' | 'noising' | undefined> {
  const { t } = vscode.l10n;
  const chosen = await vscode.window.showQuickPick(
    [
      {
        label: t('Denoising'),
        description: t('clean values into the corrupted run'),
        detail: t('What restores the answer is sufficient for it.'),
        direction: 'denoising' as const,
      },
      {
        label: t('Noising'),
        description: t('corrupted values into the clean run'),
        detail: t('What breaks the answer is necessary for it.'),
        direction: 'noising' as const,
      },
    ],
    { title: t('Sweep Patches'), placeHolder: t('Which way to patch') },
  );
  return chosen?.direction;
}

function heading(label: string): SweepItem {
  return { label, kind: vscode.QuickPickItemKind.Separator };
}
