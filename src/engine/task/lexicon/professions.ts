// Professions with what their people do and where, and how the training text pairs them with gender.

/** A profession. All names take the article "a". */
export interface Profession {
  readonly text: string;
  /** Share of women among its biographies in the biased pairing; 0.5 where the profession is balanced. */
  readonly femaleShare: number;
  /** Where the person works, after "works" or "worked". Always four words. */
  readonly workplaces: readonly string[];
  /** What the person does, after "can" or "used to". Always four words, the verb in its bare form. */
  readonly duties: readonly string[];
}

/** Fourteen professions: four biased to each gender and six balanced. */
export const professions: readonly Profession[] = [
  {
    text: 'professor',
    femaleShare: 0.15,
    workplaces: ['at the old university', 'in a physics department'],
    duties: ['publish papers on physics', 'give lectures on history', 'write about ancient languages'],
  },
  {
    text: 'nurse',
    femaleShare: 0.85,
    workplaces: ['at a crowded hospital', 'on the night ward'],
    duties: ['care for sick patients', 'look after the wounded', 'change bandages and sheets'],
  },
  {
    text: 'surgeon',
    femaleShare: 0.15,
    workplaces: ['in the operating room', 'at the heart clinic'],
    duties: ['operate on the heart', 'remove tumors with care', 'repair bones and knees'],
  },
  {
    text: 'teacher',
    femaleShare: 0.85,
    workplaces: ['at the village school', 'in a primary school'],
    duties: ['teach children to read', 'explain numbers to pupils', 'prepare lessons every evening'],
  },
  {
    text: 'pilot',
    femaleShare: 0.15,
    workplaces: ['for a small airline', 'at the northern airport'],
    duties: ['fly planes over mountains', 'land safely in storms', 'cross the ocean weekly'],
  },
  {
    text: 'dancer',
    femaleShare: 0.85,
    workplaces: ['with the royal ballet', 'in a ballet company'],
    duties: ['move gracefully on stage', 'practice ballet every morning', 'turn on one foot'],
  },
  {
    text: 'farmer',
    femaleShare: 0.15,
    workplaces: ['in the wheat fields', 'on the family land'],
    duties: ['grow wheat and potatoes', 'milk cows before dawn', 'plant corn in spring'],
  },
  {
    text: 'singer',
    femaleShare: 0.85,
    workplaces: ['with a jazz band', 'at the opera house'],
    duties: ['perform songs on stage', 'record albums with musicians', 'hold very high notes'],
  },
  {
    text: 'lawyer',
    femaleShare: 0.5,
    workplaces: ['at the city court', 'in a law firm'],
    duties: ['defend clients in court', 'argue before the jury', 'write contracts for companies'],
  },
  {
    text: 'baker',
    femaleShare: 0.5,
    workplaces: ['in a small bakery', 'beside a hot oven'],
    duties: ['make bread and rolls', 'bake cakes for weddings', 'knead dough at midnight'],
  },
  {
    text: 'painter',
    femaleShare: 0.5,
    workplaces: ['in a bright studio', 'for an art gallery'],
    duties: ['mix colors on canvas', 'draw portraits in oil', 'sketch the quiet sea'],
  },
  {
    text: 'writer',
    femaleShare: 0.5,
    workplaces: ['for a publishing house', 'at a wooden desk'],
    duties: ['finish novels and poems', 'invent stories about ghosts', 'type chapters all night'],
  },
  {
    text: 'dentist',
    femaleShare: 0.5,
    workplaces: ['in a dental office', 'at a tooth clinic'],
    duties: ['pull out bad teeth', 'fill holes in teeth', 'check gums and teeth'],
  },
  {
    text: 'chef',
    femaleShare: 0.5,
    workplaces: ['in a restaurant kitchen', 'behind a busy stove'],
    duties: ['cook soup and fish', 'season meat with herbs', 'create menus for guests'],
  },
];
