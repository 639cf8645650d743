/** What the study of indirect objects needs of a task, and how heads and their measurements are numbered in it. */
import { EngineError } from '../../../shared/errors.ts';
import type { TokenPair, TokenTask } from '../../task/task.ts';

/** The positions of the paper: indirect object, subject, the token behind it, subject again, last token. */
export const ioiRoles = ['IO', 'S1', 'S1+1', 'S2', 'END'] as const;

export type IoiRole = (typeof ioiRoles)[number];

/** Where a node of a circuit acts: at a role, or at all positions that have none. */
export type NodeRole = IoiRole | 'other';

export interface HeadPlace {
  readonly layer: number;
  readonly head: number;
}

interface HeadCounts {
  readonly nLayers: number;
  readonly nHeads: number;
}

/** Every head of a model; its index here is `layer · n_heads + head`, and that of its number in measurements. */
export function allHeads({ nLayers, nHeads }: HeadCounts): HeadPlace[] {
  return Array.from({ length: nLayers * nHeads }, (_, i) => ({
    layer: Math.floor(i / nHeads),
    head: i % nHeads,
  }));
}

export function headIndex({ nHeads }: HeadCounts, { layer, head }: HeadPlace): number {
  return layer * nHeads + head;
}

/** As the field writes it: `9.6`. */
export function headName({ layer, head }: HeadPlace): string {
  return `${layer}.${head}`;
}

/** @throws request.invalid when a pair lacks a role or has several answers, or there is no pair at all. */
export function requireIoiTask({ name, pairs }: TokenTask): void {
  const refuse = (reason: string) =>
    new EngineError('request.invalid', { what: `The task "${name}"`, reason });
  if (pairs.length === 0) throw refuse('it has no pairs');
  pairs.forEach((pair, i) => {
    const missing = ioiRoles.find((role) => !Object.hasOwn(pair.roles, role));
    if (missing) throw refuse(`pair ${i + 1} has no role ${missing}; the study needs ${ioiRoles.join(', ')}`);
    if (pair.answers.length !== 1 || pair.wrongAnswers.length !== 1) {
      throw refuse(`pair ${i + 1} has several answers; the study needs one name and one wrong name`);
    }
    if (pair.roles.END !== pair.clean.length - 1) throw refuse(`pair ${i + 1} goes on behind its role END`);
  });
}

/** The position of a role that `requireIoiTask` has found. */
export function positionOf(pair: TokenPair, role: IoiRole): number {
  return pair.roles[role]!;
}
