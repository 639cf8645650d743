/** Checks of SAEs: once for each reading, in the background, remembered, and cancelled when another SAE is chosen. */

import { afterEach, describe, expect, it } from 'vitest';
import { silentLog } from '../../../src/host/log.ts';
import { ModelStore } from '../../../src/host/modelStore.ts';
import { SaeChecks, type SaeFinding } from '../../../src/host/saeChecks.ts';
import { readingKey, SaeReadings } from '../../../src/host/saeReadings.ts';
import type { BosPolicy, SaeId, SaeInfo } from '../../../src/shared/domain.ts';
import type { CallOptions, EngineApi } from '../../../src/shared/engineApi.ts';
import { EngineError } from '../../../src/shared/errors.ts';
import { conventionKey } from '../../../src/shared/saeCheck.ts';
import { createFakeEngine } from '../../fixtures/fakeEngine.ts';

const good = 'blocks.2.hook_resid_post';
const other = 'blocks.1.hook_resid_post';
const poor = 'blocks.3.hook_mlp_out';

interface Held {
  readonly sae: SaeId;
  readonly options: CallOptions;
  readonly finish: () => void;
  readonly fail: (error: unknown) => void;
}

const opened: { dispose(): void }[] = [];
afterEach(() => {
  for (const one of opened.splice(0)) one.dispose();
});

interface WindowOptions {
  readonly kept?: Map<string, unknown>;
  readonly hold?: boolean;
  readonly idle?: () => Promise<void>;
  readonly bos?: () => BosPolicy;
}

/** A window on an engine; `kept` is what windows before it remembered. With `hold`, checks end when the test says so. */
function openWindow(options: WindowOptions = {}) {
  const kept = options.kept ?? new Map<string, unknown>();
  const fake = createFakeEngine();
  const held: Held[] = [];
  const asked: string[] = [];
  const configured: unknown[] = [];
  const engine: EngineApi = {
    ...fake,
    checkSae: (request, call = {}) => {
      asked.push(request.sae.split('/').at(-1) ?? '');
      if (!options.hold) return fake.checkSae(request, call);
      return new Promise((resolve, reject) => {
        const finish = (): void => void fake.checkSae(request, {}).then(resolve, reject);
        held.push({ sae: request.sae, options: call, finish, fail: reject });
      });
    },
    configureSae: (request, call) => {
      configured.push(request);
      return fake.configureSae(request, call);
    },
  };
  const memory = {
    get: <T>(key: string) => kept.get(key) as T | undefined,
    update: async (key: string, value: unknown) => void kept.set(key, structuredClone(value)),
  };
  const readings = new SaeReadings(memory);
  const places = () => ({ model: '/models/mini', saeFolders: [], bos: options.bos?.() });
  const models = new ModelStore({ engine, places, memory, log: silentLog, readings });
  const checks = new SaeChecks({ engine, models, readings, log: silentLog, idle: options.idle });
  opened.push(checks, models);
  const found: SaeFinding[] = [];
  checks.onDidFind((finding) => found.push(finding));
  const sae = (hook: string): SaeInfo => {
    const listed = models.saes.find((candidate) => candidate.hook === hook);
    if (!listed) throw new Error(`There is no SAE at ${hook}.`);
    return listed;
  };
  return { kept, models, checks, readings, held, asked, configured, found, sae };
}

async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 500 && !condition(); turn++) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  expect(condition()).toBe(true);
}

/** Long enough for what must not happen. */
const breath = () => new Promise((resolve) => setTimeout(resolve, 10));

describe('SaeChecks', () => {
  it('checks the chosen SAE and no other, without being asked', async () => {
    const { models, checks, asked, sae } = openWindow();
    await models.ensure();
    await until(() => checks.status(sae(good)).kind === 'checked');
    await breath();
    expect(asked).toEqual([good]);
    expect(checks.status(sae(other)).kind).toBe('unchecked');
  });

  it('leaves layers of cross-layer transcoders alone, which mean nothing by themselves', async () => {
    const { models, checks, asked, sae } = openWindow({ idle: () => new Promise<void>(() => undefined) });
    await models.ensure();
    const layer: SaeInfo = { ...sae(good), kind: 'crossLayer' };
    expect(checks.status(layer).kind).toBe('uncheckable');
    expect(asked).toEqual([]);
  });

  it('waits until nothing more urgent is computed', async () => {
    let release = (): void => undefined;
    const idle = () =>
      new Promise<void>((resolve) => {
        release = resolve;
      });
    const { models, asked } = openWindow({ idle });
    await models.ensure();
    await breath();
    expect(asked).toEqual([]);
    release();
    await until(() => asked.length === 1);
  });

  it('says that it is checking, and how far it is', async () => {
    const { models, checks, held, sae } = openWindow({ hold: true });
    await models.ensure();
    await until(() => held.length === 1);
    expect(checks.status(sae(good))).toEqual({ kind: 'checking', progress: undefined });
    const progress = { done: 1, total: 4, what: 'conventions' };
    held[0]?.options.report?.(progress);
    expect(checks.status(sae(good))).toEqual({ kind: 'checking', progress });
    held[0]?.finish();
    await until(() => checks.status(sae(good)).kind === 'checked');
  });

  it('does not repeat in the next session what was measured', async () => {
    const first = openWindow();
    await first.models.ensure();
    await until(() => first.found.length === 1);
    const second = openWindow({ kept: first.kept });
    await second.models.ensure();
    expect(second.checks.status(second.sae(good))).toMatchObject({ check: { verdict: 'good' } });
    await breath();
    expect(second.asked).toEqual([]);
    expect(second.found).toEqual([]);
  });

  it('ends a check when another SAE is chosen, and keeps nothing of it', async () => {
    const { models, checks, held, found, sae } = openWindow({ hold: true });
    await models.ensure();
    await until(() => held.length === 1);
    models.chooseSae(sae(poor).id);
    expect(held[0]?.options.signal?.aborted).toBe(true);
    await until(() => held.length === 2);
    held[0]?.finish();
    held[1]?.finish();
    await until(() => found.length === 1);
    expect(found[0]?.check.verdict).toBe('poor');
    expect(checks.status(sae(good)).kind).toBe('unchecked');
  });

  it('begins anew when the same SAE reads other values', async () => {
    let bos: BosPolicy = 'never';
    const { models, checks, held, found, sae } = openWindow({ hold: true, bos: () => bos });
    await models.ensure();
    await until(() => held.length === 1);
    bos = 'always';
    await models.applyBos();
    expect(held[0]?.options.signal?.aborted).toBe(true);
    await until(() => held.length === 2);
    held[0]?.finish();
    held[1]?.finish();
    await until(() => found.length === 1);
    expect(found[0]?.model.bos).toBe('prepended');
    expect(checks.status(sae(good)).kind).toBe('checked');
  });

  it('tells a failure, and tries again when asked', async () => {
    const { models, checks, held, sae } = openWindow({ hold: true });
    await models.ensure();
    await until(() => held.length === 1);
    const error = new EngineError('file.missing', { path: '/gone' });
    held[0]?.fail(error);
    await until(() => checks.status(sae(good)).kind === 'failed');
    expect(checks.status(sae(good))).toEqual({ kind: 'failed', error });
    const again = checks.check(sae(good));
    await until(() => held.length === 2);
    held[1]?.finish();
    expect((await again)?.verdict).toBe('good');
    expect(checks.status(sae(good)).kind).toBe('checked');
  });

  it('reads an SAE by another convention, and measures it so', async () => {
    const { models, checks, found, configured, sae } = openWindow();
    await models.ensure();
    models.chooseSae(sae(other).id);
    await until(() => found.some(({ check }) => check.verdict === 'other'));
    const convention = { applyBDecToInput: false };
    await checks.read(sae(other), convention);
    expect(configured).toEqual([{ sae: sae(other).id, convention, check: undefined }]);
    expect(models.sae).toMatchObject({ hook: other, convention });
    await until(() => found.at(-1)?.sae.convention !== undefined);
    expect(found.at(-1)?.check.verdict).toBe('good');
    // What was measured before holds again when it is read as declared again.
    await checks.read(sae(other), {});
    expect(checks.status(sae(other))).toMatchObject({ check: { verdict: 'other' } });
  });

  it('tells the engine in the next session how each SAE is to be read, before the model counts as loaded', async () => {
    const first = openWindow({ hold: true });
    await first.models.ensure();
    await first.checks.read(first.sae(other), { applyBDecToInput: false });
    const second = openWindow({ kept: first.kept });
    const seen: unknown[] = [];
    second.models.onDidChange(() => seen.push([second.models.status, ...second.configured]));
    await second.models.ensure();
    const { id } = second.sae(other);
    expect(seen.slice(0, 2)).toEqual([
      ['loading'],
      ['ready', { sae: id, convention: { applyBDecToInput: false }, check: undefined }],
    ]);
    expect(second.sae(other).convention).toEqual({ applyBDecToInput: false });
  });

  it('tells the engine in the next session what was measured, for provenance', async () => {
    const first = openWindow();
    await first.models.ensure();
    await until(() => first.found.length === 1);
    const { check } = first.found[0] as SaeFinding;
    expect(first.models.sae?.check).toEqual(check);
    const second = openWindow({ kept: first.kept });
    await second.models.ensure();
    expect(second.configured).toEqual([{ sae: second.sae(good).id, convention: {}, check }]);
    expect(second.models.sae?.check).toEqual(check);
  });

  it('remembers that the user wants an SAE as declared', async () => {
    const first = openWindow({ hold: true });
    await first.models.ensure();
    await first.checks.read(first.sae(other), {});
    const second = openWindow({ kept: first.kept });
    await second.models.ensure();
    expect(second.configured).toEqual([
      expect.objectContaining({ sae: second.sae(other).id, convention: {} }),
    ]);
  });
});

describe('what a check is remembered under', () => {
  const model = { hash: 'm', bos: 'none' } as const;

  it('is the same whatever the order of a convention’s fields', () => {
    expect(conventionKey({ applyBDecToInput: false, inputScale: 2 })).toBe(
      conventionKey({ inputScale: 2, applyBDecToInput: false }),
    );
    expect(conventionKey({ inputScale: undefined })).toBe(conventionKey({}));
  });

  it('differs by model, beginning-of-sequence token, SAE and convention', () => {
    const keys = [
      readingKey(model, { hash: 's' }),
      readingKey({ ...model, hash: 'n' }, { hash: 's' }),
      readingKey({ ...model, bos: 'prepended' }, { hash: 's' }),
      readingKey(model, { hash: 't' }),
      readingKey(model, { hash: 's', convention: { maskFirst: true } }),
    ];
    expect(new Set(keys).size).toBe(keys.length);
  });

  it('is forgotten, oldest first, when there is too much of it', () => {
    const kept = new Map<string, unknown>();
    const readings = new SaeReadings({
      get: <T>(key: string) => kept.get(key) as T | undefined,
      update: async (key, value) => void kept.set(key, value),
    });
    for (let index = 0; index < 510; index++)
      readings.keepConvention({ hash: `s${index}` }, { maskFirst: true });
    expect(readings.convention({ hash: 's0' })).toBeUndefined();
    expect(readings.convention({ hash: 's10' })).toEqual({ maskFirst: true });
    expect(readings.convention({ hash: 's509' })).toEqual({ maskFirst: true });
  });
});
