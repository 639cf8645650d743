/** Circuits as (head, role) nodes: all of a model's, and the classes at the paper's positions (Wang et al. 2022, §4). */
import type { IoiHeadClass } from '../../../shared/study.ts';
import type { HeadClasses } from './classifyHeads.ts';
import { allHeads, type IoiRole, ioiRoles } from './ioiTask.ts';
import type { CircuitNode } from './knockOuts.ts';

/** Where each class acts. */
export const roleOfClass: Readonly<Record<IoiHeadClass, IoiRole>> = {
  nameMover: 'END',
  negativeNameMover: 'END',
  backupNameMover: 'END',
  direct: 'END',
  sInhibition: 'END',
  induction: 'S2',
  duplicateToken: 'S2',
  previousToken: 'S1+1',
};

type Sizes = Parameters<typeof allHeads>[0];

/** Every head at every role and at all other positions: together they are the whole model. */
export function everyNode(sizes: Sizes): CircuitNode[] {
  return allHeads(sizes).flatMap((place) =>
    [...ioiRoles, 'other' as const].map((role) => ({ ...place, role })),
  );
}

/** The classified heads, each at the position of its class. */
export function nodesOfClasses(sizes: Sizes, classes: HeadClasses): CircuitNode[] {
  return allHeads(sizes).flatMap((place, i) => {
    const found = classes[i];
    return found ? [{ ...place, role: roleOfClass[found] }] : [];
  });
}
