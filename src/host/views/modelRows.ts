/** What the Models view lists, as plain data: downloads, the model, its layers, hooks, and SAEs under their hook. */

import { bosMismatch } from '../../shared/bosMismatch.ts';
import type { ModelInfo, SaeInfo } from '../../shared/domain.ts';
import { isEngineError } from '../../shared/errors.ts';
import type { Download } from '../downloads.ts';
import type { ModelStore } from '../modelStore.ts';

/** What is told of the model itself. */
export type ModelFact = 'bos' | 'precision' | 'parity' | 'noSaes';

/** What is told of an SAE beside its verdict. */
export type SaeFact = 'bos' | 'convention' | 'kind' | 'format' | 'release' | 'output' | 'labels' | 'problem';

/** Something that may help after a failure. */
export type ModelRemedy = 'previous' | 'chooseModel' | 'embedded' | 'restartEngine' | 'showLog';

/** A row of the tree. */
export type ModelRow =
  | { readonly kind: 'download'; readonly download: Download }
  | { readonly kind: 'failed'; readonly name: string; readonly path: string; readonly error: unknown }
  | { readonly kind: 'remedy'; readonly remedy: ModelRemedy }
  | { readonly kind: 'model'; readonly model: ModelInfo }
  | { readonly kind: 'modelFact'; readonly model: ModelInfo; readonly fact: ModelFact }
  | { readonly kind: 'layer'; readonly layer: number; readonly saes: readonly SaeInfo[] }
  | { readonly kind: 'hooks'; readonly layer: number; readonly hooks: readonly string[] }
  | {
      readonly kind: 'hook';
      readonly layer: number;
      readonly hook: string;
      readonly saes: readonly SaeInfo[];
    }
  | { readonly kind: 'otherSaes'; readonly saes: readonly SaeInfo[] }
  | { readonly kind: 'sae'; readonly sae: SaeInfo }
  | { readonly kind: 'saeFact'; readonly sae: SaeInfo; readonly fact: SaeFact };

/** What the rows are made of. */
export interface ModelRowsInput {
  readonly models: Pick<ModelStore, 'status' | 'error' | 'model' | 'saes' | 'name' | 'path'> &
    Partial<Pick<ModelStore, 'previous'>>;
  readonly downloads: readonly Download[];
}

/** Hooks of a block that families have in common, in the order of computation. */
const usualHooks: readonly string[] = [
  'hook_resid_pre',
  'ln1.hook_normalized',
  'attn.hook_q',
  'attn.hook_k',
  'attn.hook_v',
  'attn.hook_attn_scores',
  'attn.hook_pattern',
  'attn.hook_z',
  'attn.hook_result',
  'hook_attn_out',
  'ln2.hook_normalized',
  'mlp.hook_pre',
  'mlp.hook_post',
  'hook_mlp_out',
  'hook_resid_post',
];

/** The rows below `row`, or those at the top. */
export function childRows(input: ModelRowsInput, row?: ModelRow): readonly ModelRow[] {
  if (!row) return topRows(input);
  switch (row.kind) {
    case 'model':
      return modelRows(row.model, input.models.saes);
    case 'layer':
      return layerRows(row, input.models.model);
    case 'hooks':
      return row.hooks.map((hook) => ({ kind: 'hook', layer: row.layer, hook, saes: [] }));
    case 'hook':
    case 'otherSaes':
      return row.saes.map((sae) => ({ kind: 'sae', sae }));
    case 'sae':
      return saeFacts(row.sae, input.models.model).map((fact) => ({ kind: 'saeFact', sae: row.sae, fact }));
    default:
      return [];
  }
}

function topRows({ models, downloads }: ModelRowsInput): readonly ModelRow[] {
  const rows: ModelRow[] = downloads.map((download) => ({ kind: 'download', download }));
  if (models.status === 'failed') {
    const { name, path, error } = models;
    rows.push({ kind: 'failed', name, path, error });
    if (models.previous) rows.push({ kind: 'remedy', remedy: 'previous' });
    rows.push(...remediesFor(error).map((remedy) => ({ kind: 'remedy', remedy }) as const));
  } else if (models.model) {
    rows.push({ kind: 'model', model: models.model });
  }
  return rows;
}

function remediesFor(error: unknown): readonly ModelRemedy[] {
  const isStopped = isEngineError(error, 'engine.stopped');
  return isStopped ? ['restartEngine', 'chooseModel', 'showLog'] : ['chooseModel', 'embedded', 'showLog'];
}

function modelRows(model: ModelInfo, saes: readonly SaeInfo[]): readonly ModelRow[] {
  const facts: ModelFact[] = ['bos', 'precision', 'parity'];
  if (saes.length === 0) facts.push('noSaes');
  const others = saes.filter(isOther);
  const own = saes.filter((sae) => !isOther(sae));
  const layers = new Set(Array.from({ length: model.nLayers }, (_, layer) => layer));
  for (const { layer } of own) layers.add(layer);
  return [
    ...facts.map((fact) => ({ kind: 'modelFact', model, fact }) as const),
    ...[...layers]
      .sort((one, other) => one - other)
      .map((layer) => ({ kind: 'layer', layer, saes: own.filter((sae) => sae.layer === layer) }) as const),
    ...(others.length > 0 ? [{ kind: 'otherSaes', saes: others } as const] : []),
  ];
}

/** One of a folder that is listed for every model, made for another. */
function isOther({ isOfOtherModel }: SaeInfo): boolean {
  return isOfOtherModel === true;
}

/** Hooks that carry SAEs come first, the others wait under a row of their own. */
function layerRows(
  { layer, saes }: Extract<ModelRow, { readonly kind: 'layer' }>,
  model: ModelInfo | undefined,
): readonly ModelRow[] {
  const order = (model?.blockHooks ?? usualHooks).map((hook) => `blocks.${layer}.${hook}`);
  const carrying = [...new Set(saes.map(({ hook }) => hook))];
  // A hook that the list does not have comes last.
  const place = (hook: string): number => (order.includes(hook) ? order.indexOf(hook) : order.length);
  carrying.sort((one, other) => place(one) - place(other));
  const others = layer < (model?.nLayers ?? 0) ? order.filter((hook) => !carrying.includes(hook)) : [];
  const rows: ModelRow[] = carrying.map((hook) => ({
    kind: 'hook',
    layer,
    hook,
    saes: saes.filter((sae) => sae.hook === hook),
  }));
  if (others.length > 0) rows.push({ kind: 'hooks', layer, hooks: others });
  return rows;
}

function saeFacts(sae: SaeInfo, model: ModelInfo | undefined): readonly SaeFact[] {
  const facts: SaeFact[] = [];
  if (sae.problem !== undefined) facts.push('problem');
  if (model && bosMismatch(sae, model)) facts.push('bos');
  if (sae.convention && Object.keys(sae.convention).length > 0) facts.push('convention');
  facts.push('kind', 'format');
  if (sae.release !== undefined) facts.push('release');
  if (sae.hookOut !== undefined) facts.push('output');
  facts.push('labels');
  return facts;
}

/** Text that identifies a row as long as the view lives. */
export function rowId(row: ModelRow): string {
  switch (row.kind) {
    case 'download':
      return row.download.id;
    case 'failed':
      return `failed ${row.path}`;
    case 'remedy':
      return `remedy ${row.remedy}`;
    case 'model':
      return `model ${row.model.id}`;
    case 'modelFact':
      return `fact ${row.fact}`;
    case 'layer':
      return `layer ${row.layer}`;
    case 'hooks':
      return `hooks ${row.layer}`;
    case 'hook':
      return `hook ${row.hook}`;
    case 'otherSaes':
      return 'otherSaes';
    case 'sae':
      return `sae ${row.sae.id}`;
    case 'saeFact':
      return `fact ${row.fact} ${row.sae.id}`;
  }
}

/** The row that an SAE, its hook or its layer stands under; nothing for what is never looked up. */
export function parentRow({ models }: ModelRowsInput, row: ModelRow): ModelRow | undefined {
  const { model } = models;
  const saes = models.saes.filter((sae) => !isOther(sae));
  switch (row.kind) {
    case 'sae': {
      const { hook, layer } = row.sae;
      if (isOther(row.sae)) return { kind: 'otherSaes', saes: models.saes.filter(isOther) };
      return { kind: 'hook', layer, hook, saes: saes.filter((sae) => sae.hook === hook) };
    }
    case 'hook':
      return { kind: 'layer', layer: row.layer, saes: saes.filter(({ layer }) => layer === row.layer) };
    case 'layer':
    case 'otherSaes':
      return model && { kind: 'model', model };
    default:
      return undefined;
  }
}
