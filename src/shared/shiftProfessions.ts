/** The professions that the generator writes biographies of, for those who choose two. */

/** All of them, in the generator's order. The first two are the usual ones. */
export const shiftProfessions: readonly string[] = [
  'professor',
  'nurse',
  'surgeon',
  'teacher',
  'pilot',
  'dancer',
  'farmer',
  'singer',
  'lawyer',
  'baker',
  'painter',
  'writer',
  'dentist',
  'chef',
];
