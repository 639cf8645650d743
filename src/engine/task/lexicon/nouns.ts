// Nouns with their plural. Some never occur inside prepositional phrases or relative clauses of the training text,
// only in simple sentences, so that prompts made of them show whether agreement across a phrase was learned as a rule.

/** A countable noun. Animate nouns can be the subject of verbs such as "walks" or "likes". */
export interface Noun {
  readonly singular: string;
  readonly plural: string;
  readonly animate: boolean;
  /** True when the noun is kept out of complex subjects in the training split. */
  readonly heldOut: boolean;
}

function nounsFrom(list: string, animate: boolean, heldOut: boolean): Noun[] {
  return list.split(' ').map((entry) => {
    const [singular, plural] = entry.split('/') as [string, string?];
    return { singular, plural: plural ?? `${singular}s`, animate, heldOut };
  });
}

const animateInTraining =
  'student boy girl man/men woman/women child/children friend guard driver author doctor soldier worker player manager officer neighbor visitor actor judge hunter artist athlete dog cat horse bird wolf/wolves fox/foxes rabbit cow';
const animateHeldOut =
  'customer guest sailor minister senator tourist baby/babies lion mouse/mice sheriff clerk';
const thingsInTraining =
  'car table chair door window picture box/boxes lamp boat bridge tower road machine knife/knives';
const thingsHeldOut = 'bottle wall ship bicycle';

/** All nouns: 31 animate and 14 things in every structure, 11 and 4 held out of complex subjects. */
export const nouns: readonly Noun[] = [
  ...nounsFrom(animateInTraining, true, false),
  ...nounsFrom(thingsInTraining, false, false),
  ...nounsFrom(animateHeldOut, true, true),
  ...nounsFrom(thingsHeldOut, false, true),
];
