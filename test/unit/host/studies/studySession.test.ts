/** The study of a window on a made-up engine: filled, stopped, kept over a reload, gone on with. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLog } from '../../../../src/host/log.ts';
import { studyFile } from '../../../../src/host/studies/studyFile.ts';
import { type StudyQuestion, StudySession } from '../../../../src/host/studies/studySession.ts';
import type { ModelInfo } from '../../../../src/shared/domain.ts';
import type { EngineApi } from '../../../../src/shared/engineApi.ts';
import { EngineError } from '../../../../src/shared/errors.ts';
import type { IoiStudy, StudyParts, StudyProgress } from '../../../../src/shared/study.ts';
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
    storage: studyFile(join(folder, 'study.json'), silentLog),
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
    expect(session.stages).toHaveLength(15);
    await session.start(model, { ...question, request: { circuit: false } });
    // The made-up engine has a name mover, and no S-inhibition head.
    expect(session.stages).toContain('knockedOut');
    expect(session.stages).not.toContain('signals');
    expect(session.stages).not.toContain('whole');
    expect(session.finished).toEqual(session.stages);
  });
});
