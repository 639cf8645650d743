/**
 * The biographies of SHIFT in a model's tokens: a set in which profession and gender always go together, and sets in
 * which they are independent, all four combinations equally often (Marks et al. 2024, §4.1).
 */

import { EngineError } from '../../../shared/errors.ts';
import { type Random, seededRandom } from '../../random.ts';
import { biographies } from '../../task/biography.ts';
import type { Gender } from '../../task/lexicon/names.ts';
import { professions } from '../../task/lexicon/professions.ts';
import type { Split } from '../../task/textKind.ts';

/** One biography. `profession` 1 is the second of the two, `gender` 1 the one that goes with it when confounded. */
export interface LabelledText {
  readonly text: string;
  /** With the beginning-of-sequence token, where the model's policy puts one there. */
  readonly tokens: Int32Array;
  readonly profession: 0 | 1;
  readonly gender: 0 | 1;
}

export interface BiographySets {
  readonly professions: readonly [string, string];
  /** By the numbers of `LabelledText.gender`. */
  readonly genders: readonly [Gender, Gender];
  /** Confounded; what the classifier learns from. */
  readonly train: readonly LabelledText[];
  /** Balanced, with names of training: what features tell is measured here, and the oracle learns from it. */
  readonly judged: readonly LabelledText[];
  /** Balanced, with names that neither of the others has. */
  readonly test: readonly LabelledText[];
}

export interface BiographyRequest {
  readonly professions?: readonly [string, string];
  readonly trainCount: number;
  readonly testCount: number;
  readonly seed: number;
}

/** What makes tokens of a text. */
export interface TextTokens {
  readonly tokenizer: { encode(text: string): { readonly ids: Int32Array } };
  readonly bos: number | undefined;
  readonly nContext: number;
}

/** @throws request.invalid for professions that the generator lacks, or one twice. */
export function biographySets(model: TextTokens, request: BiographyRequest): BiographySets {
  const { seed, trainCount, testCount } = request;
  const chosen = request.professions ?? defaultProfessions();
  const genders = gendersOf(chosen);
  const draw = (name: string, count: number, isBalanced: boolean, names: Split) => {
    const random = seededRandom(`${seed}/shift/${name}`);
    const groups = isBalanced ? balancedGroups : confoundedGroups;
    const drawn = groups.flatMap(([profession, gender], i) =>
      // Counts that do not divide evenly give the first groups one more.
      group(random, Math.floor((count + groups.length - 1 - i) / groups.length), {
        profession,
        gender,
        names,
        words: [chosen[profession], genders[gender]],
      }),
    );
    return random
      .shuffle(drawn)
      .map((drawnText) => ({ ...drawnText, tokens: tokensOf(model, drawnText.text) }));
  };
  return {
    professions: chosen,
    genders,
    train: draw('train', trainCount, false, 'train'),
    judged: draw('judged', trainCount, true, 'train'),
    test: draw('test', testCount, true, 'heldOut'),
  };
}

/** The professions that can be chosen; those that the generator names first come first. */
export const shiftProfessions: readonly string[] = professions.map(({ text }) => text);

const confoundedGroups: readonly (readonly [0 | 1, 0 | 1])[] = [
  [0, 0],
  [1, 1],
];
const balancedGroups: readonly (readonly [0 | 1, 0 | 1])[] = [
  [0, 0],
  [0, 1],
  [1, 0],
  [1, 1],
];

function defaultProfessions(): readonly [string, string] {
  const [first, second] = shiftProfessions;
  return [first!, second!];
}

/** The gender that the generator's text pairs more often with each; where that does not tell, men with the first. */
function gendersOf([first, second]: readonly [string, string]): readonly [Gender, Gender] {
  const [one, other] = [first, second].map((text) => {
    const found = professions.find((profession) => profession.text === text);
    if (found) return found.femaleShare;
    const reason = `choose two of: ${shiftProfessions.join(', ')}`;
    throw new EngineError('request.invalid', { what: `The profession "${text}"`, reason });
  }) as [number, number];
  if (first === second) {
    const reason = 'a classifier tells two apart; choose another';
    throw new EngineError('request.invalid', { what: `The profession "${first}" twice`, reason });
  }
  return one > other ? ['female', 'male'] : ['male', 'female'];
}

interface Group {
  readonly profession: 0 | 1;
  readonly gender: 0 | 1;
  readonly names: Split;
  readonly words: readonly [string, Gender];
}

function group(random: Random, count: number, { profession, gender, names, words: [text, sex] }: Group) {
  const drawn = biographies(random, count, {
    pairing: 'confounded',
    professions: [text],
    genders: { [text]: sex },
    mention: false,
    names,
  });
  return drawn.map((biography) => ({ text: biography.text, profession, gender }));
}

function tokensOf({ tokenizer, bos, nContext }: TextTokens, text: string): Int32Array {
  const { ids } = tokenizer.encode(text);
  const all = bos === undefined ? ids : Int32Array.of(bos, ...ids);
  return all.slice(0, nContext);
}
