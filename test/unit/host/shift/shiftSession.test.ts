/** SHIFT in a window on a made-up engine: found, judged, ablated, cancelled, kept over a reload. */
import { describe, expect, it } from 'vitest';
import { silentLog } from '../../../../src/host/log.ts';
import { type ShiftQuestion, ShiftSession } from '../../../../src/host/shift/shiftSession.ts';
import type { EngineApi } from '../../../../src/shared/engineApi.ts';
import { EngineError, isEngineError } from '../../../../src/shared/errors.ts';
import { shiftKey } from '../../../../src/shared/shiftViewApi.ts';
import { createFakeEngine } from '../../../fixtures/fakeEngine.ts';
import { createFakeShift } from '../../../fixtures/fakeShift.ts';

const model = {
  id: '/models/mini',
  name: 'mini',
  hash: 'abc',
  bos: 'none',
  precision: 'float32',
} as const;
const question: ShiftQuestion = {
  modelName: 'mini',
  modelHash: 'abc',
  request: { model: model.id, saes: ['/saes/one'], seed: 1, maxFeatures: 8 },
};

function memory() {
  const kept = new Map<string, unknown>();
  return {
    get: <T>(key: string) => structuredClone(kept.get(key)) as T | undefined,
    update: async (key: string, value: unknown) => void kept.set(key, structuredClone(value)),
  };
}

function open(change: Partial<EngineApi> = {}, kept = memory()): ShiftSession {
  const engine = { ...createFakeEngine(), ...createFakeShift(2), ...change };
  return new ShiftSession({ engine, memory: kept, log: silentLog });
}

describe('ShiftSession', () => {
  it('finds features, and tells how far it is', async () => {
    const session = open();
    const seen: (number | undefined)[] = [];
    session.onDidChange(() => seen.push(session.running?.progress?.done));
    await session.find(question);
    expect(session.findings?.features).toHaveLength(8);
    expect(session.running).toBeUndefined();
    expect(seen).toEqual(expect.arrayContaining([0, 1, 2, 3]));
  });

  it('ablates what is marked and nothing else', async () => {
    const session = open();
    await session.find(question);
    await session.ablate(model);
    expect(session.outcome).toBeUndefined();
    const [, second, third] = session.findings!.features;
    session.mark([shiftKey(second!.feature), shiftKey(third!.feature), 'gone:3']);
    await session.ablate(model);
    expect(session.outcome?.ablated).toEqual([second!.feature, third!.feature]);
  });

  it('keeps findings, marks and outcome over a reload', async () => {
    const kept = memory();
    const session = open({}, kept);
    await session.find(question);
    session.mark([shiftKey(session.findings!.features[0]!.feature)]);
    await session.ablate(model);
    const next = open({}, kept);
    expect(next.findings).toBeUndefined();
    next.restore();
    expect(next.findings).toEqual(session.findings);
    expect([next.marked, next.outcome]).toEqual([session.marked, session.outcome]);
  });

  it('keeps the marks when the same is run again, and drops them for other professions', async () => {
    const session = open();
    await session.find(question);
    session.mark(['/saes/one:1']);
    await session.find({ ...question });
    expect(session.marked).toEqual(['/saes/one:1']);
    await session.find({ ...question, request: { ...question.request, professions: ['pilot', 'dancer'] } });
    expect(session.marked).toEqual([]);
    expect(session.outcome).toBeUndefined();
  });

  it('leaves what was there when it is cancelled or fails', async () => {
    const session = open();
    await session.find(question);
    session.mark(['/saes/one:0']);
    const ablating = session.ablate(model);
    expect(session.running?.work).toBe('ablating');
    session.cancel();
    await ablating.catch((error) => expect(isEngineError(error, 'cancelled')).toBe(true));
    expect([session.running, session.error, session.outcome]).toEqual([undefined, undefined, undefined]);
    const failing = open({
      findShiftFeatures: () =>
        Promise.reject(new EngineError('request.invalid', { what: 'It', reason: 'no' })),
    });
    await expect(failing.find(question)).rejects.toThrow(/It/);
    expect(isEngineError(failing.error, 'request.invalid')).toBe(true);
    expect(failing.running).toBeUndefined();
  });

  it('refuses to ablate under another model', async () => {
    const session = open();
    await session.find(question);
    session.mark(['/saes/one:0']);
    await expect(session.ablate({ ...model, id: '/other', name: 'other', hash: 'xyz' })).rejects.toThrow(
      /other is open/,
    );
  });

  it('refuses to ablate with prompts that begin otherwise, since before and after must be of one reading', async () => {
    const session = open();
    await session.find(question);
    session.mark(['/saes/one:0']);
    await expect(session.ablate({ ...model, bos: 'prepended' })).rejects.toThrow(
      /without a beginning-of-sequence token.*run SHIFT again/,
    );
    expect(session.outcome).toBeUndefined();
  });

  it('asks for labels anew, and the view for the features', async () => {
    let label = 'old';
    const session = open({
      featureInfo: async ({ features }) => features.map((feature) => ({ ...feature, label })),
    });
    await session.find(question);
    const { number } = session;
    label = 'new';
    await session.relabel();
    expect(session.number).toBeGreaterThan(number);
    expect(session.findings?.features.every(({ info }) => info.label === 'new')).toBe(true);
  });
});
