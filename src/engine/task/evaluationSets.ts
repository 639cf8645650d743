// The prompt sets the embedded model is measured with. Words and combinations are those the training text leaves out.

import { agreementStructures } from '../../shared/task.ts';
import { seededRandom } from '../random.ts';
import { agreementPairs } from './agreement.ts';
import { biography } from './biography.ts';
import { capitals } from './capitals.ts';
import { greaterThan } from './greaterThan.ts';
import { indirectObjectPairs } from './indirectObject.ts';
import type { PromptSet } from './promptSet.ts';
import { pronoun } from './pronoun.ts';
import { repetition } from './repetition.ts';
import { sentiment } from './sentiment.ts';
import { twoPeople } from './twoPeople.ts';

const indirectObjectCount = 500;
const count = 300;

/**
 * All sets. `indirectObject` has held-out names, places and objects in the templates of the training text;
 * `indirectObject.swapped` the same with the other counterfactual; `indirectObject.newTemplates` also has templates that
 * training never used, and is reported apart.
 */
export function evaluationSets(seed: number | string): PromptSet[] {
  const root = seededRandom(seed);
  const sets: PromptSet[] = [
    {
      name: 'indirectObject',
      pairs: indirectObjectPairs(root.fork('indirectObject'), indirectObjectCount, 'heldOut'),
    },
    {
      name: 'indirectObject.swapped',
      pairs: indirectObjectPairs(root.fork('indirectObject.swapped'), indirectObjectCount, 'heldOut', {
        counterfactual: 'swapped',
      }),
    },
    {
      name: 'indirectObject.newTemplates',
      pairs: indirectObjectPairs(root.fork('indirectObject.newTemplates'), indirectObjectCount, 'heldOut', {
        templates: 'heldOut',
      }),
    },
  ];
  for (const structure of agreementStructures) {
    const name = `agreement.${structure}`;
    sets.push({ name, pairs: agreementPairs(root.fork(name), count, 'heldOut', structure) });
  }
  for (const kind of [twoPeople, pronoun, repetition, greaterThan, capitals, biography, sentiment]) {
    sets.push({ name: kind.name, pairs: kind.promptPairs(root.fork(kind.name), count, 'heldOut') });
  }
  return sets;
}
