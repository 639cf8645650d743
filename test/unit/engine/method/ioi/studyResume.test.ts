/** A study that was stopped goes on from what it had measured, and finds the same. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { studyIndirectObjects } from '../../../../../src/engine/method/ioi/studyIndirectObjects.ts';
import { loadTokenizer, type Tokenizer } from '../../../../../src/engine/model/tokenizer.ts';
import { Transformer } from '../../../../../src/engine/model/transformer.ts';
import { isEngineError } from '../../../../../src/shared/errors.ts';
import {
  type IoiStudy,
  type StudyParts,
  type StudyProgress,
  type StudyStage,
  studyStages,
} from '../../../../../src/shared/study.ts';
import { compiledTask, writeCompiledIoi } from '../../../../fixtures/compiledIoi.ts';

const request = {
  pathPairs: 12,
  copyPairs: 4,
  circuitPairs: 6,
  randomSets: 4,
  greedy: { runs: 1, steps: 2, candidates: 4 },
};

describe('a study that was stopped', () => {
  let fixture: Awaited<ReturnType<typeof writeCompiledIoi>>;
  let model: Transformer;
  let tokenizer: Tokenizer;
  let whole: IoiStudy;
  const told: StudyProgress[] = [];

  beforeAll(async () => {
    fixture = await writeCompiledIoi();
    model = await Transformer.open(fixture.folder);
    tokenizer = await loadTokenizer(fixture.folder);
    whole = await study({}, ({ study }) => study && told.push(study));
  }, 120_000);
  afterAll(async () => {
    await model.release();
    await fixture.remove();
  });

  const study = (
    more: { readonly known?: StudyParts; readonly seed?: number },
    report?: (progress: { readonly what: string; readonly study?: StudyProgress }) => void,
    signal?: AbortSignal,
  ): Promise<IoiStudy> =>
    studyIndirectObjects(
      { model, tokenizer, task: compiledTask(24) },
      { ...request, ...more },
      { report, signal },
    );

  /** What a stage left behind, as it comes back from a file. */
  function stoppedAfter(stage: StudyStage): StudyParts {
    const at = told.find(({ finished }) => finished.includes(stage))!;
    return JSON.parse(JSON.stringify(at.parts)) as StudyParts;
  }

  test('tells of every stage when it is finished, and the report fills', () => {
    expect(told.at(-1)!.finished).toEqual(studyStages);
    expect(told[0]!.soFar.behaviour).toEqual(whole.behaviour);
    expect(told[0]!.soFar.heads).toBeUndefined();
    const counts = told.map(({ finished }) => finished.length);
    expect(counts).toEqual([...counts].sort((a, b) => a - b));
    expect(told.at(-1)!.soFar).toEqual(whole);
  });

  test.each(['behaviour', 'logits', 'whole', 'minimality'] as const)(
    'goes on after the stage %s and finds the same',
    async (stage) => {
      const seen: string[] = [];
      const found = await study({ known: stoppedAfter(stage) }, ({ what }) => seen.push(what));
      expect(found).toEqual(whole);
      expect(seen).not.toContain('Measuring the behaviour');
    },
  );

  test('goes on in the middle of the elimination and ends with the same circuit', async () => {
    const controller = new AbortController();
    let stopped: StudyParts | undefined;
    const failure = await study(
      { known: stoppedAfter('whole') },
      ({ what, study }) => {
        if (study) stopped = study.parts;
        const state = study?.parts.elimination;
        if (what !== 'Going on' && state && state.kept.length < state.order.length) controller.abort();
      },
      controller.signal,
    ).catch((error) => error);
    expect(isEngineError(failure, 'cancelled')).toBe(true);
    const state = stopped!.elimination!;
    expect(state.before).toBeDefined();
    expect(state.kept.length).toBeGreaterThan(whole.circuit!.nodes.length);
    expect(await study({ known: JSON.parse(JSON.stringify(stopped)) })).toEqual(whole);
  });

  test('leaves aside what belongs to another study', async () => {
    const known = { ...stoppedAfter('behaviour'), behaviour: { ...whole.behaviour, logitDifference: 99 } };
    expect((await study({ known })).behaviour.logitDifference).toBe(99);
    expect((await study({ known, seed: 2 })).behaviour).toEqual(whole.behaviour);
  }, 180_000);
});
