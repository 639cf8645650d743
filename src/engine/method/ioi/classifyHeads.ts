/**
 * Gives heads the classes of Wang et al. (2022) by the paper's own tests, each with an explicit threshold. Classes are found
 * from the logits backward, and each step starts from the heads of the step before.
 */
import type { IoiHeadClass, IoiThresholds } from '../../../shared/studyApi.ts';

/** The paper names no thresholds of its own; these part the heads it lists from the others. */
export const defaultThresholds: IoiThresholds = {
  directEffect: 0.03,
  pathEffect: 0.02,
  backupEffect: 0.02,
  copyScore: 0.75,
  attention: 0.2,
  repetition: 0.3,
  nodeEffect: 0.01,
  faithfulness: 0.05,
};

export type HeadClasses = readonly (IoiHeadClass | undefined)[];

type Effects = ArrayLike<number>;
type RoleAttention = Readonly<Record<'IO' | 'S1' | 'S2', Effects>>;
type CopyScores = Readonly<Record<'positive' | 'negative', Effects>>;
type RepetitionScores = Readonly<Record<'duplicateToken' | 'induction' | 'previousToken', Effects>>;

/**
 * Heads with a direct effect on the logits: a name mover helps the answer, attends to IO and copies what it attends to; a
 * negative one hurts and writes the opposite; `direct` is every other head whose effect is as strong.
 */
export function classifyDirect(
  effects: Effects,
  attention: RoleAttention,
  copying: CopyScores,
  limits: IoiThresholds,
): (IoiHeadClass | undefined)[] {
  return Array.from(effects, (effect, head) => {
    if (Math.abs(effect) < limits.directEffect) return undefined;
    const looks = attention.IO[head]! >= limits.attention;
    if (effect < 0 && looks && copying.positive[head]! >= limits.copyScore) return 'nameMover';
    if (effect > 0 && looks && copying.negative[head]! >= limits.copyScore) return 'negativeNameMover';
    return 'direct';
  });
}

/** A backup name mover copies, and helps the answer more when the name movers are knocked out than it did before. */
export function isBackup(
  head: number,
  effects: { readonly before: Effects; readonly knockedOut: Effects },
  copying: CopyScores,
  limits: IoiThresholds,
): boolean {
  const gained = effects.before[head]! - effects.knockedOut[head]!;
  return (
    -effects.knockedOut[head]! >= limits.backupEffect &&
    gained >= limits.backupEffect / 2 &&
    copying.positive[head]! >= limits.copyScore
  );
}

/** An S-inhibition head attends to S2, and through their queries turns the name movers from S to IO. */
export function isInhibition(
  head: number,
  effects: Effects,
  attention: RoleAttention,
  inhibition: RoleAttention,
  limits: IoiThresholds,
): boolean {
  const isPath = -effects[head]! >= limits.pathEffect;
  const favoursS = inhibition.S1[head]! + inhibition.S2[head]! - inhibition.IO[head]! > 0;
  return isPath && attention.S2[head]! >= limits.attention && favoursS;
}

/** Heads that tell S-inhibition heads of S: induction or duplicate token, whichever diagonal is stronger. */
export function repetitionClass(
  head: number,
  effects: Effects,
  scores: RepetitionScores,
  limits: IoiThresholds,
): 'induction' | 'duplicateToken' | undefined {
  if (Math.abs(effects[head]!) < limits.pathEffect) return undefined;
  const [induction, duplicate] = [scores.induction[head]!, scores.duplicateToken[head]!];
  if (Math.max(induction, duplicate) < limits.repetition) return undefined;
  return induction >= duplicate ? 'induction' : 'duplicateToken';
}

/** A head that tells induction heads at S1+1 which token came before. */
export function isPreviousToken(
  head: number,
  effects: Effects,
  scores: RepetitionScores,
  limits: IoiThresholds,
): boolean {
  return Math.abs(effects[head]!) >= limits.pathEffect && scores.previousToken[head]! >= limits.repetition;
}
