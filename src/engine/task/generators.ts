/** The generators of tasks by name: their options, what they measure, and how one pair is drawn in the words of a model. */
import {
  type AgreementStructure,
  agreementStructures,
  type TaskGenerator,
  type TaskMetric,
} from '../../shared/task.ts';
import type { Tokenizer } from '../model/tokenizer.ts';
import type { Random } from '../random.ts';
import { agreementPairs } from './agreement.ts';
import { biography } from './biography.ts';
import { greaterThanPairs, type YearAnswer, yearEndings } from './greaterThan.ts';
import { indirectObjectPairs } from './indirectObject.ts';
import type { PromptPair } from './promptSet.ts';
import { pronoun } from './pronoun.ts';
import { repetitionPairs } from './repetition.ts';
import { singleTokenFilter, vocabularyWords } from './singleTokenWords.ts';
import type { Split } from './textKind.ts';

/** Draws one pair; undefined when this draw does not give what the options ask for. */
export type DrawPair = (random: Random) => PromptPair | undefined;

/** A generator of one kind of pairs. */
export interface Generator {
  readonly metric: TaskMetric;
  /** The values of every option, the usual one first; or the range of a whole number, with what is usual. */
  readonly options: Readonly<Record<string, readonly string[] | NumberOption>>;
  /** Prepares the words for a tokenizer. Options are complete and valid. @throws RangeError when too few words fit. */
  start(tokenizer: Tokenizer, options: Readonly<Record<string, string>>): DrawPair;
}

/** An option that takes a whole number. */
export interface NumberOption {
  readonly least: number;
  readonly most: number;
  readonly usual: number;
}

/** Words and combinations that the embedded model's training text left out, or those that it has. */
const split = ['heldOut', 'train'];

/** All generators. docs/tasks.md says what the options mean. */
export const generators: Readonly<Record<TaskGenerator, Generator>> = {
  ioi: {
    metric: 'logitDifference',
    options: {
      split,
      counterfactual: ['abc', 'swapped'],
      order: ['mixed', 'abba', 'baba'],
      templates: ['train', 'heldOut'],
    },
    start: drawIndirectObjects,
  },
  agreement: {
    metric: 'logitDifference',
    options: { split, structure: ['all', ...agreementStructures] },
    start: (tokenizer, { structure, split }) => {
      const fits = singleTokenFilter(tokenizer);
      return (random) => {
        const chosen =
          structure === 'all' ? random.pick(agreementStructures) : (structure as AgreementStructure);
        return agreementPairs(random, 1, split as Split, chosen, fits)[0];
      };
    },
  },
  greaterThan: {
    metric: 'probabilityDifference',
    options: { split, answer: ['auto', 'year', 'decade'] },
    start: drawYears,
  },
  induction: {
    metric: 'logitDifference',
    options: { words: ['lexicon', 'vocabulary'], length: { least: 4, most: 200, usual: 8 } },
    start: (tokenizer, { words, length }) => {
      const pool = words === 'vocabulary' ? vocabularyWords(tokenizer) : undefined;
      const fits = singleTokenFilter(tokenizer);
      return (random) => repetitionPairs(random, 1, { fits, pool, length: Number(length) })[0];
    },
  },
  pronoun: {
    metric: 'logitDifference',
    options: { split },
    start: (tokenizer, { split }) => {
      const fits = singleTokenFilter(tokenizer);
      return (random) => pronoun.promptPairs(random, 1, split as Split, fits)[0];
    },
  },
  bios: {
    metric: 'logitDifference',
    options: { split },
    start: (tokenizer, { split }) => {
      const fits = singleTokenFilter(tokenizer);
      return (random) => biography.promptPairs(random, 1, split as Split, fits)[0];
    },
  },
};

/** ABBA and BABA are templates of their own, since the same role is at another position in each. */
function drawIndirectObjects(
  tokenizer: Tokenizer,
  { split, counterfactual, order, templates }: Readonly<Record<string, string>>,
): DrawPair {
  const options = {
    counterfactual: counterfactual === 'swapped' ? 'swapped' : 'unrelated',
    templates: templates as Split,
    fits: singleTokenFilter(tokenizer),
  } as const;
  return (random) => {
    const pair = indirectObjectPairs(random, 1, split as Split, options)[0];
    const found = pair?.kind.split('.')[1] ?? '';
    if (!pair || (order !== 'mixed' && order !== found)) return undefined;
    return { ...pair, template: `${found.toUpperCase()}: ${pair.template}` };
  };
}

function drawYears(tokenizer: Tokenizer, options: Readonly<Record<string, string>>): DrawPair {
  const fits = singleTokenFilter(tokenizer);
  const answer = options.answer === 'auto' ? yearAnswerOf(tokenizer) : (options.answer as YearAnswer);
  return (random) => {
    const pair = greaterThanPairs(random, 1, options.split as Split, { fits, answer })[0];
    if (!pair) return undefined;
    const years = [pair.clean, pair.corrupted].map((text) => / (\d{4}) /.exec(text)?.[1] ?? '');
    return years.every((year) => endsLikeAnswer(year, answer, tokenizer)) ? pair : undefined;
  };
}

/** Whether a year's tokens end as the answer does: after "17" as in " 17|32", or " 17|3|2" for decades. */
function endsLikeAnswer(year: string, answer: YearAnswer, tokenizer: Tokenizer): boolean {
  const pieces = tokenizer.pieces(` ${year}`);
  const century = tokenizer.pieces(` ${year.slice(0, 2)}`);
  const rest = answer === 'year' ? [year.slice(2)] : [year[2], year[3]];
  return [...century, ...rest].join('|') === pieces.join('|');
}

/** Years are asked for by two digits where those are one token, and by the decade where every digit is one. */
function yearAnswerOf(tokenizer: Tokenizer): YearAnswer {
  return yearEndings.every((ending) => tokenizer.idOf(ending) !== undefined) ? 'year' : 'decade';
}
