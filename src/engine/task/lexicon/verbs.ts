// Verbs in the third person of the present (and "was"), singular and plural, by the kind of complement they take.

/** The two forms that agree with a subject: "is" and "are". */
export interface VerbPair {
  readonly singular: string;
  readonly plural: string;
}

function pairs(list: string): VerbPair[] {
  return list.split(' ').map((entry) => {
    const [singular, plural] = entry.split('/') as [string, string];
    return { singular, plural };
  });
}

/** "is old", "was in the garden". */
export const copulas: readonly VerbPair[] = pairs('is/are was/were');

/** "looks old", "seems tired". */
export const linkingVerbs: readonly VerbPair[] = pairs('looks/look seems/seem');

/** "has a letter", and "has helped" with a participle. */
export const have: VerbPair = { singular: 'has', plural: 'have' };

/** "does not know", with a bare verb. */
export const doVerb: VerbPair = { singular: 'does', plural: 'do' };

/** "walks home": no object; for people and animals. */
export const intransitiveVerbs: readonly VerbPair[] = pairs(
  'walks/walk runs/run sleeps/sleep sings/sing works/work waits/wait laughs/laugh smiles/smile lives/live sits/sit',
);

/** "likes the picture": with any object; the subject is a person or an animal. */
export const perceptionVerbs: readonly VerbPair[] = pairs(
  'likes/like knows/know sees/see loves/love hates/hate remembers/remember',
);

/** "helps the dog": subject and object are people or animals. */
export const companyVerbs: readonly VerbPair[] = pairs('helps/help follows/follow calls/call visits/visit');

/** All verbs with an object. */
export const transitiveVerbs: readonly VerbPair[] = [...perceptionVerbs, ...companyVerbs];

/** Every pair that agreement prompts may ask for. */
export const agreementVerbs: readonly VerbPair[] = [
  ...copulas,
  have,
  doVerb,
  ...linkingVerbs,
  ...intransitiveVerbs,
  ...transitiveVerbs,
];
