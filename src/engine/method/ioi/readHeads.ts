/**
 * What the finished stages of a study say about heads: their classes so far, and what the next step of path patching is aimed
 * at (Wang et al. 2022, §3). The same stages always give the same answer, so that a study can stop anywhere and go on.
 */
import type { IoiHeadClass, IoiThresholds, StudyParts } from '../../../shared/study.ts';
import {
  classifyDirect,
  type HeadClasses,
  isBackup,
  isInhibition,
  isPreviousToken,
  repetitionClass,
} from './classifyHeads.ts';
import { allHeads, type HeadPlace } from './ioiTask.ts';

export interface ReadHeads {
  readonly classes: HeadClasses;
  readonly nameMovers: readonly HeadPlace[];
  readonly sInhibition: readonly HeadPlace[];
  readonly receivers: {
    readonly queries: readonly HeadPlace[];
    readonly values: readonly HeadPlace[];
    readonly keys: readonly HeadPlace[];
  };
}

/**
 * Where no head is a name mover by the paper's test, the heads that favour the answer most directly take their place as
 * receivers, and so on backward.
 */
export function readHeads(
  sizes: Parameters<typeof allHeads>[0],
  parts: StudyParts,
  limits: IoiThresholds,
): ReadHeads {
  const places = allHeads(sizes);
  const { attention, copying, repetition, logits } = parts;
  if (!attention || !copying || !repetition || !logits) {
    const none = { queries: [], values: [], keys: [] };
    return { classes: places.map(() => undefined), nameMovers: [], sInhibition: [], receivers: none };
  }
  const classes = classifyDirect(logits.effects, attention, copying, limits);
  const of = (wanted: IoiHeadClass) => places.filter((_, i) => classes[i] === wanted);
  const give = (test: (head: number) => IoiHeadClass | false | undefined): void => {
    for (const i of places.keys()) {
      const found = test(i);
      // Whoever has a class by a test of its own is no longer just one with a direct effect.
      if (found && (classes[i] ?? 'direct') === 'direct') classes[i] = found;
    }
  };
  const nameMovers = of('nameMover');
  if (parts.knockedOut) {
    const effects = { before: logits.effects, knockedOut: parts.knockedOut.effects };
    give((i) => isBackup(i, effects, copying, limits) && 'backupNameMover');
  }
  const asked =
    nameMovers.length > 0
      ? nameMovers
      : places.filter((_, i) => classes[i] === 'direct' && logits.effects[i]! < 0);
  const { queries, inhibition, values, keys } = parts;
  if (queries && inhibition)
    give((i) => isInhibition(i, queries, attention, inhibition, limits) && 'sInhibition');
  // Without S-inhibition heads, what attends from END to S2 and decides is what reads the repetition.
  const sInhibition = of('sInhibition');
  const looking = ({ layer, head }: HeadPlace) =>
    attention.S2[layer * sizes.nHeads + head]! >= limits.attention;
  const told = sInhibition.length > 0 ? sInhibition : asked.filter(looking);
  if (values) give((i) => repetitionClass(i, values, repetition, limits));
  const inductive = of('induction');
  if (keys) give((i) => isPreviousToken(i, keys, repetition, limits) && 'previousToken');
  return {
    classes,
    nameMovers,
    sInhibition,
    receivers: { queries: asked, values: queries ? told : [], keys: values ? inductive : [] },
  };
}
