/** The Models view: which rows it has in which state, and what each says to eyes and ears. */

import { describe, expect, it } from 'vitest';
import { noteOnSae, saeName } from '../../../../src/host/describeSae.ts';
import type { SaeStatus } from '../../../../src/host/saeChecks.ts';
import {
  downloadItem,
  failedItem,
  modelFactItem,
  modelItem,
  otherSaesItem,
  remedyItem,
} from '../../../../src/host/views/modelItem.ts';
import {
  childRows,
  type ModelRow,
  type ModelRowsInput,
  parentRow,
  rowId,
} from '../../../../src/host/views/modelRows.ts';
import { saeFactItem, saeItem } from '../../../../src/host/views/saeItem.ts';
import { bosMismatch } from '../../../../src/shared/bosMismatch.ts';
import type { ModelInfo, SaeInfo } from '../../../../src/shared/domain.ts';
import { EngineError } from '../../../../src/shared/errors.ts';
import type { SaeCheck } from '../../../../src/shared/saeCheck.ts';
import { createFakeEngine } from '../../../fixtures/fakeEngine.ts';

async function loaded(path = '/models/mini'): Promise<{ model: ModelInfo; saes: readonly SaeInfo[] }> {
  const engine = createFakeEngine();
  const model = await engine.openModel({ path });
  return { model, saes: await engine.listSaes({ model: model.id, folders: [] }) };
}

function input(more: Partial<ModelRowsInput['models']>): ModelRowsInput {
  const models = { status: 'idle', error: undefined, model: undefined, saes: [], name: 'mini', path: '/m' };
  return { models: { ...models, ...more } as ModelRowsInput['models'], downloads: [] };
}

const kinds = (rows: readonly ModelRow[]): string[] => rows.map(({ kind }) => kind);

/** Every row of the tree. */
function allRows(given: ModelRowsInput, row?: ModelRow): ModelRow[] {
  return childRows(given, row).flatMap((child) => [child, ...allRows(given, child)]);
}

describe('the rows', () => {
  it('are none before a model is loaded, so that the view can welcome', () => {
    expect(childRows(input({}))).toEqual([]);
    expect(childRows(input({ status: 'loading' }))).toEqual([]);
  });

  it('are what failed and what helps, after a failure', () => {
    const error = new EngineError('file.missing', { path: '/gone' });
    const rows = childRows(input({ status: 'failed', error, path: '/gone' }));
    expect(rows.map(rowId)).toEqual([
      'failed /gone',
      'remedy chooseModel',
      'remedy embedded',
      'remedy showLog',
    ]);
    const previous = { id: '/a', name: 'a', path: '/a' } as ModelInfo;
    const back = childRows(input({ status: 'failed', error, path: '/gone', previous }))[1] as ModelRow;
    expect(rowId(back)).toBe('remedy previous');
    expect(remedyItem('previous', previous).label).toBe('Back to a');
    expect(remedyItem('previous', previous).command?.arguments).toEqual(['/a']);
    const stopped = new EngineError('engine.stopped', { reason: 'SIGKILL' });
    expect(rowId(childRows(input({ status: 'failed', error: stopped }))[1] as ModelRow)).toBe(
      'remedy restartEngine',
    );
  });

  it('begin with downloads, in every state', () => {
    const downloads = [{ id: 'd1', title: 'gpt2' }];
    expect(kinds(childRows({ ...input({}), downloads }))).toEqual(['download']);
    const failed = input({ status: 'failed', error: new Error('x') });
    expect(kinds(childRows({ ...failed, downloads }))[0]).toBe('download');
  });

  it('go from the model over layers and hooks to SAEs, hooks with SAEs first', async () => {
    const { model, saes } = await loaded();
    const given = input({ status: 'ready', model, saes });
    const [top] = childRows(given);
    const below = childRows(given, top);
    expect(kinds(below)).toEqual([...Array(3).fill('modelFact'), ...Array(4).fill('layer')]);
    const layer = below.find((row) => row.kind === 'layer' && row.layer === 2);
    const hooks = childRows(given, layer);
    expect(hooks.map(rowId)).toEqual([
      'hook blocks.2.hook_attn_out',
      'hook blocks.2.hook_mlp_out',
      'hook blocks.2.hook_resid_post',
      'hooks 2',
    ]);
    const others = childRows(given, hooks.at(-1)).map(rowId);
    expect(others).toContain('hook blocks.2.attn.hook_z');
    expect(others).not.toContain('hook blocks.2.hook_resid_post');
    expect(kinds(childRows(given, hooks[0]))).toEqual(['sae']);
  });

  it('lead to SAEs where there are none', async () => {
    const { model } = await loaded();
    const given = input({ status: 'ready', model, saes: [] });
    const below = childRows(given, childRows(given)[0]);
    expect(below.map(rowId)).toContain('fact noSaes');
    expect(modelFactItem(model, 'noSaes').command?.command).toBe('fovea.chooseSae');
  });

  it('keep SAEs of other models apart, last and in one row', async () => {
    const { model, saes } = await loaded();
    const foreign = {
      ...(saes[0] as SaeInfo),
      id: 'foreign',
      layer: 30,
      problem: 'x',
      isOfOtherModel: true as const,
    };
    const given = input({ status: 'ready', model, saes: [...saes, foreign] });
    const below = childRows(given, childRows(given)[0]);
    expect(below.filter(({ kind }) => kind === 'layer')).toHaveLength(4);
    const last = below.at(-1) as ModelRow;
    expect(last).toEqual({ kind: 'otherSaes', saes: [foreign] });
    expect(childRows(given, last).map(rowId)).toEqual(['sae foreign']);
    expect(parentRow(given, { kind: 'sae', sae: foreign })).toEqual(last);
    expect(parentRow(given, last)).toEqual({ kind: 'model', model });
    expect(
      allRows(given)
        .map(rowId)
        .filter((id) => id === 'sae foreign'),
    ).toHaveLength(1);
    const item = otherSaesItem(1);
    expect([item.label, item.description, item.collapsibleState]).toEqual(['SAEs of Other Models', '1', 1]);
  });

  it('have ids of their own, and SAEs are found from below', async () => {
    const { model, saes } = await loaded();
    const given = input({ status: 'ready', model, saes });
    const rows = allRows(given);
    expect(new Set(rows.map(rowId)).size).toBe(rows.length);
    for (const row of rows.filter(({ kind }) => kind === 'sae')) {
      const path: string[] = [];
      for (let at = parentRow(given, row); at; at = parentRow(given, at)) {
        expect(childRows(given, at).map(rowId)).toContain(path.at(-1) ?? rowId(row));
        path.push(rowId(at));
      }
      expect(path).toHaveLength(3);
    }
  });

  it('show the hooks that the family has, SAEs at unknown hooks, and layers outside the blocks', async () => {
    const { model, saes } = await loaded();
    const [first] = saes;
    const strange = { ...first, id: 's', hook: 'ln_final.hook_normalized', layer: 4 } as SaeInfo;
    const given = input({
      status: 'ready',
      model: { ...model, blockHooks: ['hook_resid_pre', 'hook_resid_post'] },
      saes: [strange],
    });
    const rows = allRows(given).map(rowId);
    expect(rows).toContain('hook blocks.0.hook_resid_pre');
    expect(rows).not.toContain('hook blocks.0.hook_mlp_out');
    expect(rows).toContain('sae s');
    expect(rows).not.toContain('hooks 4');
  });
});

describe('a model’s row', () => {
  it('tells family, precision and parity, aloud too', async () => {
    const { model } = await loaded();
    const item = modelItem(model);
    expect(item.label).toBe('mini');
    expect(item.description).toBe('GPT-2 · float32 · checked');
    expect(item.accessibilityInformation?.label).toBe('Model mini, GPT-2 · float32 · checked, BOS none');
  });

  it.each([
    ['/m/mini', 'checked against transformers 5.23.0 (eager, float32): worst logit difference 2e-6'],
    ['/m/pythia', 'family checked against transformers 5.23.0 (eager, float32): worst logit difference 2e-6'],
    ['/m/smollm2.gguf', 'not compared'],
  ])('%s: %s', async (path, words) => {
    const { model } = await loaded(path);
    expect(modelFactItem(model, 'parity').accessibilityInformation?.label).toBe(`Parity: ${words}`);
  });

  it('tells what stands before prompts', async () => {
    const { model } = await loaded();
    expect(modelFactItem(model, 'bos').description).toBe('none · as the tokenizer says');
    expect(modelFactItem({ ...model, bos: 'prepended' }, 'bos').description).toMatch(/^<\|endoftext\|>/);
  });

  it('says why it failed, and how far a download is', () => {
    const error = new EngineError('file.missing', { path: '/gone' });
    const failed = failedItem({ kind: 'failed', name: 'gone', path: '/gone', error });
    expect(failed.accessibilityInformation?.label).toMatch(/^Model gone, not loaded: There is no file/);
    const progress = { done: 45_300_000, total: 151_000_000, what: 'sae_weights.safetensors' };
    const item = downloadItem({ id: 'd', title: 'gpt2-small-res-jb', progress });
    expect([item.label, item.description]).toEqual(['Downloading, 30 %', 'gpt2-small-res-jb']);
    expect(item.accessibilityInformation?.label).toBe(
      'Downloading, 30 %, gpt2-small-res-jb, 45 MB of 151 MB',
    );
    const opening = downloadItem({ id: 'o', kind: 'opening', title: 'smollm2', progress });
    expect([opening.label, opening.contextValue]).toEqual(['Converting, 30 %', 'opening']);
  });
});

describe('an SAE’s row', () => {
  const reading = (explainedVariance: number, convention = {}) => ({
    convention,
    what: '',
    explainedVariance,
    l0: 24,
    cosine: 0.5,
  });
  const check = (verdict: SaeCheck['verdict'], variance: number, better?: number): SaeStatus => ({
    kind: 'checked',
    check: {
      sae: 's',
      model: 'm',
      of: { model: 'm', bos: 'none', sae: 's' },
      verdict,
      tokens: 512,
      text: 'built-in text',
      current: reading(variance),
      alternatives: better === undefined ? [] : [reading(better, { applyBDecToInput: false })],
    },
  });

  const itemOf = (sae: SaeInfo, status: SaeStatus, isChosen = false) =>
    saeItem(sae, { name: saeName(sae, [sae]), status, isChosen });

  it('is named by release, by kind where it is alone at its hook, else by folder', async () => {
    const { saes } = await loaded();
    const sae = saes[0] as SaeInfo;
    const twin = { ...sae, id: '/saes/mine#layer_0.safetensors', path: '/saes/mine' };
    expect(saeName(sae, saes)).toBe('TopK 16');
    expect(saeName(twin, [...saes, twin])).toBe('mine#layer_0.safetensors');
    expect(saeName({ ...twin, release: 'gpt2-small-res-jb' }, saes)).toBe('gpt2-small-res-jb');
  });

  it.each([
    [{ kind: 'unchecked' }, 'not checked', 'sae usable'],
    [{ kind: 'uncheckable' }, 'not checkable alone', 'sae usable'],
    [{ kind: 'checking' }, 'being checked…', 'sae usable'],
    [{ kind: 'checking', progress: { done: 1, total: 4, what: '' } }, 'being checked… 25 %', 'sae usable'],
    [{ kind: 'failed', error: new Error('x') }, 'could not be checked', 'sae usable'],
    [check('good', 0.94), 'reconstructs: 94 % of variance, L0 24', 'sae usable'],
    [check('fair', 0.45), 'reconstructs in part: 45 % of variance, L0 24', 'sae usable'],
    [check('poor', 0.12), 'does not reconstruct (12 %)', 'sae usable'],
    [check('poor', -0.4, -0.2), 'does not reconstruct (−40 %)', 'sae usable alternatives'],
    [check('poor', -2000), 'does not reconstruct (< −999 %)', 'sae usable'],
    [
      check('other', 0.12, 0.91),
      'reads better with: decoder bias not subtracted (91 %)',
      'sae usable better alternatives',
    ],
  ] as const)('%j says: %s', async (status, words, context) => {
    const { saes } = await loaded();
    const item = itemOf(saes[0] as SaeInfo, status as SaeStatus);
    expect([item.description, item.contextValue]).toEqual([words, context]);
    expect(item.accessibilityInformation?.label).toContain(`${words}, not chosen`);
  });

  it('says that prompts begin otherwise than its training texts, with the command that changes it', async () => {
    const { model: fake, saes } = await loaded();
    const model = { ...fake, bos: 'none', bosToken: '<s>' } as const;
    const sae = { ...(saes[0] as SaeInfo), prependBos: true };
    const item = saeItem(sae, {
      name: 'a',
      status: check('good', 0.94),
      isChosen: false,
      mismatch: bosMismatch(sae, model),
    });
    expect(item.description).toBe('lacks BOS · reconstructs: 94 % of variance, L0 24');
    expect(noteOnSae(sae, model)).toEqual({
      text: expect.stringContaining('this prompt begins without'),
      isWarning: true,
      action: { title: 'Prepend BOS', command: 'followSaeBos' },
    });
    expect(noteOnSae(sae, { ...model, bos: 'prepended' })).toBeUndefined();
    const facts = (of: ModelInfo) =>
      childRows(input({ model: of }), { kind: 'sae', sae }).map((row) =>
        row.kind === 'saeFact' ? row.fact : row.kind,
      );
    expect(facts(model)[0]).toBe('bos');
    expect(facts({ ...model, bos: 'prepended' })).not.toContain('bos');
    const fact = saeFactItem(sae, 'bos');
    expect([fact.label, fact.command?.command]).toEqual(['Prepend BOS', 'fovea.followSaeBos']);
  });

  it('names SAE, kind, site and layer aloud, and that it is chosen', async () => {
    const { saes } = await loaded();
    const item = itemOf(saes[0] as SaeInfo, { kind: 'unchecked' }, true);
    expect(item.accessibilityInformation?.label).toBe(
      'SAE TopK 16, 1,024 features, Residual stream, layer 0, not checked, chosen',
    );
  });

  it('offers the way back when it is read otherwise than declared, and nothing when it cannot be used', async () => {
    const { saes } = await loaded();
    const sae = saes[0] as SaeInfo;
    const configured = { ...sae, convention: { transposeEncoder: true, inputScale: 0.5 } };
    expect(itemOf(configured, { kind: 'unchecked' }).contextValue).toBe('sae usable configured');
    expect(saeFactItem(configured, 'convention').description).toBe('encoder transposed, input times 0.5');
    const broken = itemOf({ ...sae, problem: 'too wide' }, { kind: 'unchecked' });
    expect([broken.description, broken.contextValue, broken.command]).toEqual([
      'cannot be used',
      'sae',
      undefined,
    ]);
    expect(broken.tooltip).toContain('too wide');
  });

  it('keeps hostile names as plain text', async () => {
    const { saes } = await loaded();
    const hostile = '[x](command:evil) $(warning) <b>';
    const item = itemOf({ ...(saes[0] as SaeInfo), release: hostile }, { kind: 'unchecked' });
    // Labels and tooltips that are strings are drawn as they are; only Markdown would be read.
    expect(item.label).toBe(hostile);
    expect(typeof item.tooltip).toBe('string');
  });
});
