/** The study of a window on a made-up engine: filled, stopped, kept over a reload, gone on with. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLog } from '../../../../src/host/log.ts';
import type { StudyQuestion } from '../../../../src/host/studies/keptStudy.ts';
import { numbersPath } from '../../../../src/host/studies/numbersPath.ts';
import { studyFolder } from '../../../../src/host/studies/studyFolder.ts';
import { StudySession } from '../../../../src/host/studies/studySession.ts';
import type { ModelInfo } from '../../../../src/shared/domain.ts';
import type { EngineApi } from '../../../../src/shared/engineApi.ts';
import { EngineError } from '../../../../src/shared/errors.ts';
import {
  type IoiStudy,
  type StudyParts,
  type StudyProgress,
  studyStages,
} from '../../../../src/shared/study.ts';
import type { IndirectObjectsRequest } from '../../../../src/shared/studyApi.ts';
import { createFakeEngine } from '../../../fixtures/fakeEngine.ts';

const model = { id: '/models/mini', name: 'mini', hash: 'abc' } as ModelInfo;
const question: StudyQuestion = {
  model: { name: 'mini', hash: 'abc' },
  task: { kind: 'generator', name: 'ioi', count: 8, seed: 1 },
  request: { circuitPairs: 4 },
  source: '8 generated pairs',
};

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fovea-study-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function openSession(change: Partial<EngineApi> = {}): StudySession {
  const engine = { ...createFakeEngine(), ...change };
  return new StudySession({
    engine,
    storage: studyFolder(folder, silentLog),
    log: silentLog,
  });
}

const soFar = { task: 'ioi', pairs: 8, smallestTemplate: 4 } as unknown as IoiStudy;
const behaviour = { logitDifference: 3, accuracy: 1, probability: 0.5, corruptedLogitDifference: 0 };
const parts: StudyParts = { key: 'k', behaviour };
const first: StudyProgress = { parts, finished: ['behaviour'], soFar: { ...soFar, behaviour } };

/** Tells of its first stage, then waits to be cancelled; with that stage known, it ends at once. */
function slowEngine(asked: IndirectObjectsRequest[] = []): Partial<EngineApi> {
  return {
    studyIndirectObjects(request, call) {
      asked.push(request);
      if (request.known) return Promise.resolve({ ...soFar, behaviour });
      call?.report?.({ done: 1, total: 15, what: 'Studying', study: first });
      return new Promise((_, reject) => {
        call?.signal?.addEventListener('abort', () => reject(new EngineError('cancelled', {})));
      });
    },
  };
}

/** Starts a study, and stops it once something was found. */
async function startAndStop(session: StudySession): Promise<void> {
  const running = session.start(model, question);
  await Promise.resolve();
  session.cancel();
  await expect(running).rejects.toThrow(/Cancelled/);
}

describe('a study', () => {
  it('fills while it runs, and what was found stays when it is cancelled', async () => {
    const session = openSession(slowEngine());
    await startAndStop(session);
    expect(session.isRunning).toBe(false);
    expect(session.error).toBeUndefined();
    expect(session.finished).toEqual(['behaviour']);
    expect(session.soFar?.behaviour).toEqual(behaviour);
    expect(session.study).toBeUndefined();
    expect(session.canResume).toBe(true);
  });

  it('comes back after a reload and goes on from the parts that it had', async () => {
    await startAndStop(openSession(slowEngine()));
    const asked: IndirectObjectsRequest[] = [];
    const session = openSession(slowEngine(asked));
    expect(session.question).toBeUndefined();
    session.restore();
    expect(session.question).toEqual(question);
    expect(session.soFar?.behaviour).toEqual(behaviour);
    await session.resume(model);
    expect(asked).toHaveLength(1);
    expect(asked[0]).toMatchObject({ model: model.id, task: question.task, circuitPairs: 4, known: parts });
    expect(session.study?.behaviour).toEqual(behaviour);
    expect(session.canResume).toBe(false);
  });

  it('says why it stopped when the engine failed, and can go on', async () => {
    const failure = new EngineError('engine.stopped', { reason: 'out of memory' });
    const session = openSession({ studyIndirectObjects: () => Promise.reject(failure) });
    await expect(session.start(model, question)).rejects.toBe(failure);
    expect(session.error).toBe(failure);
    expect(session.canResume).toBe(true);
  });

  it('leaves aside a file that holds no study', () => {
    writeFileSync(join(folder, 'study.json'), '{"version": 1, "finished": "all"}');
    const session = openSession();
    session.restore();
    expect(session.question).toBeUndefined();
    writeFileSync(join(folder, 'study.json'), '{"version": 1, ');
    const other = openSession();
    other.restore();
    expect(other.question).toBeUndefined();
  });

  it('passes over the steps for which a model gives no reason', async () => {
    const session = openSession();
    expect(session.stages).toEqual(studyStages);
    await session.start(model, { ...question, request: { circuit: false } });
    // The made-up engine has a name mover, and no S-inhibition head.
    expect(session.stages).toContain('knockedOut');
    expect(session.stages).not.toContain('signals');
    expect(session.stages).not.toContain('whole');
    expect(session.finished).toEqual(session.stages);
  });

  it('keeps the studies before, each with what it had found, and shows the one that is chosen', async () => {
    const session = openSession(slowEngine());
    await startAndStop(session);
    const before = session.current!;
    const running = session.start(model, { ...question, source: 'others' });
    await Promise.resolve();
    expect(session.question?.source).toBe('others');
    session.choose(before.id);
    expect(session.soFar?.behaviour).toEqual(behaviour);
    expect([session.isRunning, session.atWork?.question.source]).toEqual([false, 'others']);
    session.cancel();
    await expect(running).rejects.toThrow(/Cancelled/);

    const later = openSession(slowEngine());
    later.restore();
    expect(later.all.map((kept) => kept.question.source)).toEqual(['8 generated pairs', 'others']);
    expect(later.all.every(({ finished }) => finished.includes('behaviour'))).toBe(true);
  });

  it('keeps five, lets one go first that was saved, and names one that would be lost', async () => {
    const session = openSession();
    for (let i = 0; i < 4; i++) await session.start(model, { ...question, source: `study ${i}` });
    expect(session.nextLost).toBeUndefined();
    await session.start(model, { ...question, source: 'study 4' });
    expect(session.nextLost?.question.source).toBe('study 0');
    session.choose(session.all[2]!.id);
    session.markSaved();
    expect(session.nextLost).toBeUndefined();
    await session.start(model, { ...question, source: 'study 5' });
    const expected = ['study 0', 'study 1', 'study 3', 'study 4', 'study 5'];
    expect(session.all.map((kept) => kept.question.source)).toEqual(expected);
    expect(readdirSync(folder)).toHaveLength(5);
    const later = openSession();
    later.restore();
    expect(later.all.map((kept) => kept.question.source)).toEqual(expected);
  });

  it('was found with the model, and with prompts beginning as they did', async () => {
    const session = openSession();
    await session.start(model, { ...question, bos: 'prepended' });
    expect(session.foundWith).toMatchObject({ model: question.model });
    expect(session.foundWith?.bos).toBe(session.soFar?.provenance?.bos ?? 'prepended');
  });

  it('writes its numbers beside the report under a name that other JSON does not have', () => {
    expect(numbersPath('/w/package.md')).toBe('/w/package.ioi-study.json');
    expect(numbersPath('/w/mini.ioi.md')).toBe('/w/mini.ioi-study.json');
    expect(numbersPath('/w/report')).toBe('/w/report.ioi-study.json');
  });
});
