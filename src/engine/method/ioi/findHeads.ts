/** Finds the heads of the circuit by iterated path patching (Wang et al. 2022, §3) and gives them their classes. */
import type { CallOptions } from '../../../shared/engineApi.ts';
import type { PathReceiver } from '../../../shared/patchingApi.ts';
import type { IoiHeadClass, IoiThresholds } from '../../../shared/studyApi.ts';
import type { Random } from '../../random.ts';
import { type PathPatchingResult, patchPaths } from '../pathPatching.ts';
import {
  classifyDirect,
  type HeadClasses,
  isBackup,
  isInhibition,
  isPreviousToken,
  repetitionClass,
} from './classifyHeads.ts';
import { type CopyScores, copyScores } from './copyScores.ts';
import { inhibitionEffects } from './inhibition.ts';
import { allHeads, type HeadPlace, headIndex, type IoiRole } from './ioiTask.ts';
import { knockedOutEffects } from './knockedOutPaths.ts';
import { type RepetitionScores, repetitionScores } from './repeatedTokens.ts';
import { attentionToRoles, emptyRoleAttention, type RoleAttention } from './roleAttention.ts';
import type { StudyContext } from './studyContext.ts';
import { templateMeans } from './templateMeans.ts';

/** What is measured of all heads before any is known to belong to the circuit; `[head]` in the order of `allHeads`. */
export interface HeadMeasurements {
  readonly attention: RoleAttention;
  readonly copying: CopyScores;
  readonly repetition: RepetitionScores;
}

/** Effects by path, `[head]`; all 0 where a step had no receivers. */
export interface PathEffects {
  readonly logits: ArrayLike<number>;
  readonly logitsKnockedOut: ArrayLike<number>;
  readonly queries: ArrayLike<number>;
  readonly values: ArrayLike<number>;
  readonly keys: ArrayLike<number>;
}

export interface FoundHeads {
  readonly classes: HeadClasses;
  readonly effects: PathEffects;
  readonly inhibition: RoleAttention;
  readonly receivers: {
    readonly queries: readonly HeadPlace[];
    readonly values: readonly HeadPlace[];
    readonly keys: readonly HeadPlace[];
  };
  /** Mean logit difference with all name movers knocked out, when there are any. */
  readonly withoutNameMovers: number | undefined;
  headsOf(wanted: IoiHeadClass): HeadPlace[];
}

/** Attention, copying and repeated tokens of every head. @throws cancelled */
export async function measureHeads(
  { model, task, tokenizer, bos }: StudyContext,
  { copyPairs, random }: { readonly copyPairs: number; readonly random: Random },
  call: CallOptions,
): Promise<HeadMeasurements> {
  const size = Math.min(tokenizer.vocabSize, model.config.dVocab);
  const vocabulary = Array.from({ length: size }, (_, id) => id).filter((id) => !tokenizer.isSpecial(id));
  const repeated = { vocabulary, ...(bos !== undefined && { bos }) };
  return {
    attention: await attentionToRoles(model, task.pairs, call),
    copying: await copyScores(model, task.pairs.slice(0, copyPairs), call),
    repetition: await repetitionScores(model, repeated, random.fork('repeated tokens'), call),
  };
}

/**
 * Path patching from the logits backward. Where no head is a name mover by the paper's test, the heads that favour the
 * answer most directly take their place as receivers, and so on backward.
 * @throws cancelled
 */
export async function findHeads(
  context: StudyContext,
  measured: HeadMeasurements,
  limits: IoiThresholds,
  call: CallOptions,
): Promise<FoundHeads> {
  const { model, task } = context;
  const places = allHeads(model.config);
  const { attention, copying, repetition } = measured;
  const { original, effects: logits } = await sweepAll(context, [], 'END', call);
  const classes = classifyDirect(logits, attention, copying, limits);
  const of = (...wanted: readonly IoiHeadClass[]) => places.filter((_, i) => wanted.includes(classes[i]!));
  const give = (test: (head: number) => IoiHeadClass | false | undefined): void => {
    for (const i of places.keys()) {
      const found = test(i);
      // Whoever has a class by a test of its own is no longer just one with a direct effect.
      if (found && (classes[i] ?? 'direct') === 'direct') classes[i] = found;
    }
  };
  const movers = of('nameMover');
  const means = await templateMeans(model, task.pairs, call.signal);
  const without =
    movers.length === 0
      ? undefined
      : await knockedOutEffects(model, task.pairs, { out: movers, original, means }, call);
  const logitsKnockedOut = without?.effects ?? new Float64Array(places.length);
  if (without) {
    const effects = { before: logits, knockedOut: without.effects };
    give((i) => isBackup(i, effects, copying, limits) && 'backupNameMover');
  }
  const asked =
    movers.length > 0 ? movers : places.filter((_, i) => classes[i] === 'direct' && logits[i]! < 0);
  const queries = await sweep(context, asked, 'q', 'END', call);
  const inhibition =
    asked.length > 0
      ? await inhibitionEffects(model, task.pairs, asked, call)
      : emptyRoleAttention(places.length);
  give((i) => isInhibition(i, queries, attention, inhibition, limits) && 'sInhibition');
  // Without S-inhibition heads, what attends from END to S2 and decides is what reads the repetition.
  const inhibiting = of('sInhibition');
  const told =
    inhibiting.length > 0
      ? inhibiting
      : asked.filter((place) => attention.S2[headIndex(model.config, place)]! >= limits.attention);
  const values = await sweep(context, told, 'v', 'S2', call);
  give((i) => repetitionClass(i, values, repetition, limits));
  const inductive = of('induction');
  const keys = await sweep(context, inductive, 'k', 'S1+1', call);
  give((i) => isPreviousToken(i, keys, repetition, limits) && 'previousToken');
  return {
    classes,
    effects: { logits, logitsKnockedOut, queries, values, keys },
    inhibition,
    receivers: { queries: asked, values: told, keys: inductive },
    withoutNameMovers: without?.logitDifference,
    headsOf: of,
  };
}

/** Effects through one input of some heads, which senders and receivers share a position for; 0 without receivers. */
async function sweep(
  context: StudyContext,
  heads: readonly HeadPlace[],
  input: 'q' | 'k' | 'v',
  role: IoiRole,
  call: CallOptions,
): Promise<ArrayLike<number>> {
  const { nHeads, nKeyValueHeads, nLayers } = context.model.config;
  if (heads.length === 0) return new Float64Array(nLayers * nHeads);
  const shared = (head: number) => (input === 'q' ? head : Math.floor((head * nKeyValueHeads) / nHeads));
  const names = new Set(heads.map(({ layer, head }) => `${layer}.${shared(head)}`));
  const receivers = [...names].map((name) => {
    const [layer, head] = name.split('.').map(Number);
    return { layer: layer!, head: head!, input };
  });
  return (await sweepAll(context, receivers, role, call)).effects;
}

function sweepAll(
  { model, task }: StudyContext,
  receivers: readonly PathReceiver[],
  role: IoiRole,
  call: CallOptions,
): Promise<PathPatchingResult> {
  const senders = allHeads(model.config);
  return patchPaths({ model, task, metric: 'logitDifference', senders, receivers, positions: [role] }, call);
}
