/** What can stand at a place of an experiment that its schema cannot know: hooks, heads, models and tasks that are there. */

import type { ModelInfo, SaeInfo } from '../../shared/domain.ts';

/** What is there. */
export interface Surroundings {
  readonly model: Pick<ModelInfo, 'nLayers' | 'nHeads' | 'nKeyValueHeads'> | undefined;
  readonly saes: readonly Pick<SaeInfo, 'hook' | 'kind' | 'name' | 'problem'>[];
  /** Task files, relative to the experiment. */
  readonly tasks: readonly string[];
  /** Models of the hub's cache. */
  readonly models: readonly string[];
}

/** One word that fits, and what it is. */
export interface Suggestion {
  readonly text: string;
  readonly detail: string;
}

/** Which words fit at `path`. */
export function suggestionsAt(
  path: readonly (string | number)[],
  around: Surroundings,
): readonly Suggestion[] {
  const names = path.filter((part) => typeof part === 'string');
  switch (names.join('.')) {
    case 'model':
      return [{ text: 'embedded', detail: '' }, ...around.models.map((text) => ({ text, detail: '' }))];
    case 'saes':
    case 'method.sae':
    case 'method.ablate.sae':
      return hooks(around, ({ kind }) => kind === 'sae');
    case 'transcoders':
      return hooks(around, ({ kind }) => kind !== 'sae');
    case 'pairs.path':
      return around.tasks.map((text) => ({ text, detail: '' }));
    case 'method.hook':
      return layers(around).map((layer) => ({ text: `blocks.${layer}.hook_resid_post`, detail: '' }));
    case 'method.senders':
      return senders(around);
    case 'method.receivers':
      return receivers(around);
    default:
      return [];
  }
}

function hooks(
  { saes }: Surroundings,
  isWanted: (sae: Surroundings['saes'][number]) => boolean,
): Suggestion[] {
  const usable = saes.filter((sae) => sae.problem === undefined && isWanted(sae));
  return usable.map(({ hook, name }) => ({ text: hook, detail: name }));
}

function layers({ model }: Surroundings): number[] {
  return Array.from({ length: model?.nLayers ?? 0 }, (_, layer) => layer);
}

function senders(around: Surroundings): Suggestion[] {
  const heads = around.model?.nHeads ?? 0;
  return layers(around).flatMap((layer) => [
    ...Array.from({ length: heads }, (_, head) => ({ text: `${layer}.${head}`, detail: '' })),
    { text: `mlp ${layer}`, detail: '' },
  ]);
}

function receivers(around: Surroundings): Suggestion[] {
  const { nHeads = 0, nKeyValueHeads = 0 } = around.model ?? {};
  return layers(around).flatMap((layer) =>
    (['q', 'k', 'v'] as const).flatMap((input) =>
      Array.from({ length: input === 'q' ? nHeads : nKeyValueHeads }, (_, head) => ({
        text: `${input}:${layer}.${head}`,
        detail: '',
      })),
    ),
  );
}
