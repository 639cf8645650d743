/** The stages of a study: each is run once, kept as plain data, and told of as soon as it is finished. */
import { createHash } from 'node:crypto';
import type { CallOptions } from '../../../shared/callOptions.ts';
import {
  type IoiThresholds,
  type StudyParts,
  type StudyProgress,
  type StudySoFar,
  type StudyStage,
  studyStages,
} from '../../../shared/study.ts';
import type { StudyContext } from './studyContext.ts';

type Part<S extends StudyStage> = NonNullable<StudyParts[S]>;

/** What was found, stage by stage, from the beginning or from where an earlier study was stopped. */
export class StudyStages {
  #parts: StudyParts;
  readonly #describe: (parts: StudyParts) => StudySoFar;
  readonly #call: CallOptions;

  constructor(
    key: string,
    known: StudyParts | undefined,
    describe: (parts: StudyParts) => StudySoFar,
    call: CallOptions,
  ) {
    this.#parts = known?.key === key ? known : { key };
    this.#describe = describe;
    this.#call = call;
    if (known?.key === key) this.#tell(0, 'Going on');
  }

  get parts(): StudyParts {
    return this.#parts;
  }

  /** Runs a stage unless it is known. */
  async run<S extends StudyStage>(stage: S, find: () => Promise<Part<S>>): Promise<Part<S>> {
    const known = this.#parts[stage] as Part<S> | undefined;
    if (known !== undefined) return known;
    const found = await find();
    this.keep(stage, found);
    return found;
  }

  /** Keeps what a stage has, finished or not, and tells of it. */
  keep<S extends StudyStage>(stage: S, part: Part<S>): void {
    this.#parts = { ...this.#parts, [stage]: part };
    this.#tell(studyStages.indexOf(stage) + 1, 'Studying indirect objects');
  }

  #tell(done: number, what: string): void {
    const study: StudyProgress = {
      parts: this.#parts,
      finished: studyStages.filter((stage) => isFinished(this.#parts, stage)),
      soFar: this.#describe(this.#parts),
    };
    this.#call.report?.({ done, total: studyStages.length, what, study });
  }
}

function isFinished(parts: StudyParts, stage: StudyStage): boolean {
  if (stage === 'elimination')
    return parts.elimination !== undefined && parts.elimination.before === undefined;
  return parts[stage] !== undefined;
}

/**
 * Changes with whatever the stages measure or how: parts of an earlier version would be mixed with those of this one. 2: the
 * criteria on held-out pairs.
 */
const stagesVersion = 2;

/** Says what parts belong to: the version of the stages, model, prompts, and every number that was asked for. */
export function studyKey(
  { model, task, identity, bos }: StudyContext,
  asked: { readonly limits: IoiThresholds; readonly numbers: Readonly<Record<string, unknown>> },
): string {
  const { nLayers, nHeads, dModel, dVocab } = model.config;
  const hash = createHash('sha256');
  hash.update(
    JSON.stringify(['study', stagesVersion, identity, bos, nLayers, nHeads, dModel, dVocab, asked]),
  );
  for (const { clean, corrupted, answers, wrongAnswers, roles, template } of task.pairs) {
    hash.update(JSON.stringify([[...clean], [...corrupted], answers, wrongAnswers, roles, template]));
  }
  return hash.digest('hex').slice(0, 32);
}
