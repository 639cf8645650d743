/** The list of results: what is in it, in which order, and what each row says; and what its commands do. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { OpenCircuits } from '../../../../src/host/circuits/openCircuits.ts';
import { deleteResult, exportResult, showResult } from '../../../../src/host/commands/resultCommands.ts';
import { silentLog } from '../../../../src/host/log.ts';
import type { CommandServices } from '../../../../src/host/services.ts';
import { ShiftSession } from '../../../../src/host/shift/shiftSession.ts';
import { StudySession } from '../../../../src/host/studies/studySession.ts';
import { SweepSession } from '../../../../src/host/sweeps/sweepSession.ts';
import { resultRows } from '../../../../src/host/views/resultRows.ts';
import { resultItem } from '../../../../src/host/views/resultsView.ts';
import { createFakeEngine } from '../../../fixtures/fakeEngine.ts';
import { createFakePatching } from '../../../fixtures/fakePatching.ts';
import { answerPicks } from '../../../fixtures/quickPicks.ts';
import { tinyCircuit } from '../../../fixtures/tinyCircuit.ts';
import { window } from '../../../fixtures/vscodeStub.ts';

const noon = new Date(2026, 4, 5, 12, 0).getTime();
const yesterday = new Date(2026, 4, 4, 12, 0).getTime();
const pairs = {
  kind: 'pair',
  clean: 'Mary',
  corrupted: 'John',
  answers: [' a'],
  wrongAnswers: [' b'],
} as const;
const sweep = {
  method: 'patch',
  pairs,
  target: { kind: 'sweep', name: 'resid_pre' },
  direction: 'noising',
} as const;
/** A study of an earlier session. */
const study = {
  version: 1,
  id: 'old',
  created: yesterday,
  question: {
    model: { name: 'mini', hash: 'abc' },
    task: { kind: 'generator', name: 'ioi', count: 8, seed: 1 },
    request: {},
    source: '8 generated pairs',
  },
  finished: ['behaviour'],
  isDone: false,
};
/** Without a title of its own, so that it is called as it was asked for. */
const untitled = { ...tinyCircuit, annotations: undefined };
const nothing = { load: () => [], save: () => {}, remove: () => {} };

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

async function open() {
  vi.useFakeTimers({ now: noon, toFake: ['Date'] });
  const engine = { ...createFakeEngine(), ...createFakePatching(1) };
  const model = await engine.openModel({ path: '/models/mini' });
  const models = { model, name: model.name, saes: [], ensure: async () => model };
  const circuits = new OpenCircuits({ engine, models, storage: nothing, log: silentLog });
  const sweeps = new SweepSession({ engine, storage: nothing, log: silentLog });
  const kept = { ...nothing, load: () => [{ id: 'old', study }] };
  const studies = new StudySession({ engine, storage: kept, log: silentLog });
  const shift = new ShiftSession({
    engine,
    memory: { get: () => undefined, update: async () => {} },
    log: silentLog,
  });
  const shown: string[] = [];
  const panel = (name: string) => ({ show: () => shown.push(name), isVisible: false });
  const services = {
    ...{ circuits, engine, models, shift, studies, sweeps },
    circuitPanel: panel('circuit'),
    sweepPanel: panel('sweep'),
    studyPanel: panel('study'),
    shiftPanel: panel('shift'),
  } as unknown as CommandServices;
  return { circuits, model, services, shown, studies, sweeps };
}

describe('the list of results', () => {
  it('has everything that is kept, newest first, with its time or how far it came', async () => {
    const { circuits, model, services, sweeps } = await open();
    circuits.show(untitled, { name: 'first' });
    vi.setSystemTime(noon + 60_000);
    await sweeps.plan(sweep, model);
    vi.setSystemTime(noon + 120_000);
    const older = circuits.all[0];
    circuits.show(untitled, { name: 'second' });
    if (older) circuits.bringForward(older);
    const rows = resultRows(services, noon);
    expect(rows.map(({ title }) => title)).toEqual([
      'second',
      'resid_pre · noising',
      'first',
      'Indirect objects: 8 generated pairs',
    ]);
    expect(rows.map(({ state }) => state)).toEqual(['done', 'partial', 'done', 'partial']);
    expect(rows[0]?.description).toMatch(/^12:02.* · /);
    expect(rows[1]?.description).toMatch(/^not started · 12:01.* · Mary$/);
    expect(rows[3]?.description).toMatch(/^1 of \d+ steps · (4 May|May 4) · mini$/);
  });

  it('has what runs on top, with its share', async () => {
    const { circuits, services } = await open();
    circuits.show(untitled, { name: 'there' });
    const seen: string[] = [];
    await circuits.find({ name: 'wanted' }, async (call) => {
      call.report?.({ done: 1, total: 3, what: 'Edges' });
      const [top] = resultRows(services, noon);
      seen.push(`${top?.title}: ${top?.description} (${top?.state})`);
      return untitled;
    });
    expect(seen).toEqual(['wanted: Edges 33 % (running)']);
    expect(resultRows(services, noon).some(({ state }) => state === 'running')).toBe(false);
  });

  it('tells a screen reader the kind, which the picture tells the eye', async () => {
    const { circuits, services } = await open();
    circuits.show(untitled, { name: 'there' });
    const [row] = resultRows(services, noon);
    const item = row && resultItem(row);
    expect(item).toMatchObject({ contextValue: 'circuit.done', iconPath: { id: 'circuit-board' } });
    expect(item?.accessibilityInformation?.label).toMatch(/^Circuit, there, 12:00/);
  });
});

describe('a result', () => {
  it('is shown in its panel: that very one, not the newest', async () => {
    const { circuits, services, shown } = await open();
    const old = circuits.show(untitled, { name: 'old' });
    circuits.show(untitled, { name: 'new' });
    await showResult(services, { kind: 'circuit', id: old.id });
    expect([circuits.shown, shown]).toEqual([old, ['circuit']]);
    await showResult(services, { kind: 'study', id: 'old' });
    expect(services.studies.current?.id).toBe('old');
    expect(shown).toEqual(['circuit', 'study']);
  });

  it('is asked for when none is given, among those that the command can treat', async () => {
    const { circuits, services, shown } = await open();
    circuits.show(untitled, { name: 'mine' });
    const { offered } = answerPicks(['mine'], []);
    await showResult(services);
    expect([offered[0]?.length, shown]).toEqual([2, ['circuit']]);
    circuits.remove(circuits.all[0]!);
    await expect(exportResult(services)).rejects.toMatchObject({ code: 'request.invalid' });
  });

  it('is deleted at once, unless something would be lost with it', async () => {
    const { circuits, services, studies } = await open();
    const plain = circuits.show(untitled, { name: 'plain' });
    await deleteResult(services, { kind: 'circuit', id: plain.id });
    expect(circuits.results).toEqual([]);
    const asked = vi.spyOn(window, 'showWarningMessage').mockResolvedValue(undefined);
    resultRows(services);
    await deleteResult(services, { kind: 'study', id: 'old' });
    expect([asked.mock.calls.length, studies.all.length]).toEqual([1, 1]);
    asked.mockResolvedValue('Delete');
    await deleteResult(services, { kind: 'study', id: 'old' });
    expect(studies.all).toEqual([]);
  });
});
