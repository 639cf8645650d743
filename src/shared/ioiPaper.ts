/** What Wang et al. (2022) report for GPT-2 small: shown beside every study of indirect objects, and marked as the paper's. */
import type { IoiHeadClass, StudyNode } from './study.ts';

/** The classes as people read them. */
export const classTitles: Readonly<Record<IoiHeadClass, string>> = {
  nameMover: 'Name mover',
  negativeNameMover: 'Negative name mover',
  backupNameMover: 'Backup name mover',
  direct: 'Direct effect, copies nothing',
  sInhibition: 'S-inhibition',
  induction: 'Induction',
  duplicateToken: 'Duplicate token',
  previousToken: 'Previous token',
};

/** All classes, in the order of the paper. */
export const headClasses = Object.keys(classTitles) as readonly IoiHeadClass[];

/** The heads of GPT-2 small in the paper; in brackets those it calls weaker. */
export const paperHeads: Readonly<Partial<Record<IoiHeadClass, string>>> = {
  nameMover: '9.9, 10.0, 9.6',
  negativeNameMover: '10.7, 11.10',
  backupNameMover: '10.10, 10.6, 10.2, 10.1, 11.2, 9.7, 9.0, 11.9',
  sInhibition: '7.3, 7.9, 8.6, 8.10',
  induction: '5.5, 6.9 (5.8, 5.9)',
  duplicateToken: '0.1, 3.0 (0.10)',
  previousToken: '2.2, 4.11',
};

/** Figures of the paper's text and tables. */
export const paperFigures = {
  logitDifference: 3.56,
  accuracy: 0.993,
  probability: 0.49,
  /** Change of the logit difference when all name movers are knocked out. */
  withoutNameMovers: -0.05,
  circuit: 3.1,
  heads: 26,
  unfaithfulness: 0.13,
  /** Of the whole circuit, by the greedy search. */
  greedy: 0.87,
  nodeEffect: 0.01,
  /** Token signal original, random, inverted; for each the position signal original and inverted. */
  signals: [3.55, -0.99, 2.45, -1.96, 1.77, -3.16],
  signalFit: { position: 2.31, token: 0.99, error: 0.07 },
} as const;

/** Means over the heads of a class, or over all heads, as §3 of the paper tells them. */
export const classAverageFigures = {
  moversAttention: '0.59',
  moversCopy: '> 0.95',
  negativeCopy: '0.98',
  inhibitionAttention: '0.51',
  anyCopy: '< 0.20',
  anyNegativeCopy: '0.12',
} as const;

/** `layer.head`, as the field writes heads. */
export function studyHeadName({ layer, head }: Pick<StudyNode, 'layer' | 'head'>): string {
  return `${layer}.${head}`;
}

/** `9.6 END`. */
export function studyNodeName(node: StudyNode): string {
  return `${studyHeadName(node)} ${node.role}`;
}

/** A class, or that a head has none, in words. */
export function classTitle(name: IoiHeadClass | 'other' | undefined): string {
  return name === undefined || name === 'other' ? 'No class' : classTitles[name];
}
