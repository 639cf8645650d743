/** The whole study on the hand-compiled transformer: it returns what was planted. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { estimateStudy } from '../../../../../src/engine/method/ioi/estimateStudy.ts';
import { headName } from '../../../../../src/engine/method/ioi/ioiTask.ts';
import { studyIndirectObjects } from '../../../../../src/engine/method/ioi/studyIndirectObjects.ts';
import { loadTokenizer, type Tokenizer } from '../../../../../src/engine/model/tokenizer.ts';
import { Transformer } from '../../../../../src/engine/model/transformer.ts';
import { isEngineError } from '../../../../../src/shared/errors.ts';
import type { IoiHeadClass, IoiStudy } from '../../../../../src/shared/studyApi.ts';
import { studyReport } from '../../../../../src/shared/studyReport.ts';
import { compiledTask, writeCompiledIoi } from '../../../../fixtures/compiledIoi.ts';
import { planted } from '../../../../fixtures/compiledIoiWeights.ts';

describe('on the hand-compiled transformer', () => {
  let fixture: Awaited<ReturnType<typeof writeCompiledIoi>>;
  let model: Transformer;
  let tokenizer: Tokenizer;
  let study: IoiStudy;

  beforeAll(async () => {
    fixture = await writeCompiledIoi();
    model = await Transformer.open(fixture.folder);
    tokenizer = await loadTokenizer(fixture.folder);
    const request = { circuitPairs: 6, randomSets: 6, greedy: { runs: 1, steps: 2, candidates: 8 } };
    study = await studyIndirectObjects({ model, tokenizer, task: compiledTask(36) }, request);
  }, 120_000);
  afterAll(async () => {
    await model.release();
    await fixture.remove();
  });

  test('every head has exactly the class that was planted, and idle heads have none', () => {
    const expected = Object.entries(planted).map(([name, place]) => `${headName(place)} ${name}`);
    const found = study.heads.flatMap((head) => (head.class ? [`${headName(head)} ${head.class}`] : []));
    expect(found.sort()).toEqual(expected.sort());
  });

  test('every detector by itself answers to its own heads and to no other', () => {
    const above = (of: (head: IoiStudy['heads'][number]) => number): string[] =>
      study.heads.filter((head) => of(head) > 0.5).map(headName);
    const names = (...classes: readonly (IoiHeadClass & keyof typeof planted)[]) =>
      classes.map((name) => headName(planted[name]));
    expect(above((head) => head.previousToken)).toEqual(names('previousToken'));
    expect(above((head) => head.duplicateToken)).toEqual(names('duplicateToken'));
    expect(above((head) => head.induction)).toEqual(names('induction'));
    expect(above((head) => head.attention.S2)).toEqual(names('sInhibition'));
    expect(above((head) => head.attention.IO)).toEqual(names('nameMover', 'negativeNameMover'));
    expect(above((head) => head.copyScore)).toEqual(names('nameMover', 'backupNameMover'));
    expect(above((head) => head.negativeCopyScore)).toEqual(names('negativeNameMover'));
    expect(above((head) => -head.inhibition.IO)).toEqual(names('sInhibition'));
    expect(above((head) => -head.effects.logitsKnockedOut)).toEqual(names('backupNameMover'));
  });

  test('effects through each path are above 10 % for planted heads and below 1 % for all others', () => {
    const paths = {
      logits: ['nameMover', 'negativeNameMover'],
      logitsKnockedOut: ['backupNameMover', 'negativeNameMover'],
      queries: ['sInhibition'],
      values: ['duplicateToken', 'induction'],
      keys: ['previousToken'],
    } as const;
    for (const [path, classes] of Object.entries(paths) as [keyof typeof paths, readonly IoiHeadClass[]][]) {
      for (const head of study.heads) {
        const effect = Math.abs(head.effects[path]);
        if (head.class && classes.includes(head.class)) expect(effect).toBeGreaterThan(0.1);
        else expect(effect).toBeLessThan(0.01);
      }
    }
  });

  test('of a model that fails the task it says so, and effects keep their sign: shares of the size of the metric', async () => {
    const task = compiledTask(12);
    const exchanged = {
      ...task,
      pairs: task.pairs.map((pair) => ({ ...pair, answers: pair.wrongAnswers, wrongAnswers: pair.answers })),
    };
    const [right, wrong] = [
      await studyIndirectObjects({ model, tokenizer, task }, { circuit: false }),
      await studyIndirectObjects({ model, tokenizer, task: exchanged }, { circuit: false }),
    ];
    expect(right).not.toHaveProperty('doubts');
    expect(wrong.doubts).toEqual(['notPositive', 'belowHalf']);
    // What lowers the difference of the right answers raises that of the exchanged ones by as much.
    wrong.heads.forEach(({ effects }, i) => {
      expect(effects.logits).toBeCloseTo(-right.heads[i]!.effects.logits, 5);
    });
  });

  test('both signals were planted and both are found', () => {
    expect(study.signals!.token).toBeGreaterThan(1);
    expect(study.signals!.position).toBeGreaterThan(1);
  });

  test('the heads of the classes are a faithful circuit, and without its backup it is not complete', () => {
    expect(study.classCircuit!.nodes).toHaveLength(7);
    expect(study.classCircuit!.unfaithfulness).toBeLessThan(0.01);
    const { circuit } = study;
    expect(circuit!.unfaithfulness).toBeLessThan(0.01);
    expect(circuit!.empty).toBeCloseTo(0, 2);
    expect(circuit!.nodes.map((node) => `${headName(node)} ${node.role}`)).toContain(
      `${headName(planted.nameMover)} END`,
    );
    for (const { effect } of circuit!.minimality) expect(effect).toBeGreaterThanOrEqual(0.01);
    // With the name mover gone the model has its backup; so has the circuit, as elimination looks there as well.
    const mover = circuit!.completeness.byClass.find((removal) => removal.class === 'nameMover')!;
    expect(mover.model).toBeGreaterThan(3);
    expect(mover.incompleteness).toBeLessThan(0.01);
  });

  test('the report names the heads beside those of the paper', () => {
    const report = studyReport(study, 'compiled | *model*');
    expect(report).toContain('# Indirect objects in compiled model');
    expect(report).toContain('| S-inhibition | 2.1 | 7.3, 7.9, 8.6, 8.10 |');
    expect(report).not.toMatch(/undefined|NaN|Infinity/);
  });

  test('what it takes is told before, and it can be cancelled in the middle', async () => {
    const context = { model, tokenizer, task: compiledTask(12) };
    const whole = await estimateStudy(context);
    const short = await estimateStudy(context, { circuit: false });
    expect(short.tokens).toBeGreaterThan(0);
    expect(whole.tokens).toBeGreaterThan(2 * short.tokens);
    const controller = new AbortController();
    const seen: string[] = [];
    const report = ({ what }: { what: string }): void => {
      seen.push(what);
      if (what === 'Copy scores') controller.abort();
    };
    const failure = await studyIndirectObjects(context, {}, { signal: controller.signal, report }).catch(
      (error) => error,
    );
    expect(isEngineError(failure, 'cancelled')).toBe(true);
    expect(seen).not.toContain('Patching paths');
  });

  test.each([
    { pathPairs: 0 },
    { circuitPairs: 1.5 },
    { randomSets: -1 },
    { greedy: { runs: 1, steps: -1, candidates: 1 } },
    { thresholds: { copyScore: Number.NaN } },
  ])('numbers that mean nothing are refused: %o', async (request) => {
    const context = { model, tokenizer, task: compiledTask(2) };
    const failure = await studyIndirectObjects(context, request).catch((error) => error);
    expect(isEngineError(failure, 'request.invalid')).toBe(true);
  });

  test('a task without the roles is refused with what is missing', async () => {
    const { pairs } = compiledTask(2);
    const { END: _, ...roles } = pairs[1]!.roles;
    const task = { name: 'broken', pairs: [pairs[0]!, { ...pairs[1]!, roles }] };
    const failure = await studyIndirectObjects({ model, tokenizer, task }).catch((error) => error);
    expect(failure.message).toContain('pair 2 has no role END');
  });
});
