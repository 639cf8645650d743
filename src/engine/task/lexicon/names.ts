// First names with the gender that English texts usually give them. Some never occur in indirect-object
// sentences of the training text, so that prompts made of them show whether the model learned the rule.

export type Gender = 'female' | 'male';

/** A first name; `heldOut` ones are kept out of the indirect-object sentences of the training split. */
export interface FirstName {
  readonly text: string;
  readonly gender: Gender;
  readonly heldOut: boolean;
}

const femaleInTraining =
  'Mary Anna Sarah Emma Lucy Alice Jane Kate Laura Julia Helen Rachel Emily Lisa Susan Karen Linda Nancy Jessica Amy Rose Grace Claire Sophie Ruth Diana Megan Olivia Hannah Jennifer Michelle Amanda Melissa Rebecca Christina Angela Patricia Maria Eva Nina Victoria Elizabeth';
const maleInTraining =
  'John Tom James David Michael Robert William Richard Joseph Thomas Charles Daniel Matthew Anthony Mark Paul Steven Andrew Kevin Brian George Edward Jason Ryan Jacob Eric Adam Henry Peter Jack Luke Simon Patrick Scott Frank Ben Max Leo Harry Oliver Nathan Samuel';
const femaleHeldOut =
  'Clara Rosa Martha Judith Monica Vera Irene Paula Teresa Sandra Fiona Naomi Bella Daisy Greta Ingrid Lydia Stella';
const maleHeldOut =
  'Arthur Victor Hugo Felix Oscar Ivan Walter Martin Philip Stephen Gary Roger Louis Dennis Vincent Carl Bruno Edgar';

function namesFrom(list: string, gender: Gender, heldOut: boolean): FirstName[] {
  return list.split(' ').map((text) => ({ text, gender, heldOut }));
}

/** All first names: 42 + 42 of the training text, 18 + 18 held out. */
export const firstNames: readonly FirstName[] = [
  ...namesFrom(femaleInTraining, 'female', false),
  ...namesFrom(maleInTraining, 'male', false),
  ...namesFrom(femaleHeldOut, 'female', true),
  ...namesFrom(maleHeldOut, 'male', true),
];

/** The pronouns of one gender: "she smiled", "her coat", "saw her", "herself". */
export interface Pronouns {
  readonly subject: string;
  readonly possessive: string;
  readonly object: string;
  readonly reflexive: string;
}

/** Pronouns by gender. */
export const pronounsOf: Readonly<Record<Gender, Pronouns>> = {
  female: { subject: 'she', possessive: 'her', object: 'her', reflexive: 'herself' },
  male: { subject: 'he', possessive: 'his', object: 'him', reflexive: 'himself' },
};

/** Nouns for one person that fix the gender, used beside names so that pronouns follow meaning as well as names. */
export const genderedNouns: readonly { readonly text: string; readonly gender: Gender }[] = [
  ...'queen mother sister aunt daughter princess wife'
    .split(' ')
    .map((text) => ({ text, gender: 'female' as const })),
  ...'king father brother uncle son prince husband'
    .split(' ')
    .map((text) => ({ text, gender: 'male' as const })),
];
