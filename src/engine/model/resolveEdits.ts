/** Brings the stack of edits of one stage into the form its program takes: one affine edit per hook. */
import type { Value } from '../graph/value.ts';
import { applyEdit, composeEdits, type HookEdit, isLateEdit, type RunEdit } from './edits.ts';
import { compareHooks, type StageHook } from './hooks.ts';
import type { ForwardStage, StageEdits, StageRunner } from './stageRunner.ts';

/** An edit and its hook's name inside the stage. */
export interface PlacedEdit {
  readonly hook: StageHook;
  readonly edit: RunEdit;
}

/**
 * The edits of a stage, one per hook. An edit that depends on the value it changes is resolved by running the stage
 * up to its hook with everything before it already in place, so stacked edits act one on the other's outcome.
 */
export async function resolveEdits(
  stages: StageRunner,
  place: Pick<ForwardStage, 'stage' | 'sizes' | 'feeds'>,
  edits: readonly PlacedEdit[],
): Promise<StageEdits> {
  const resolved = new Map<StageHook, HookEdit>();
  const hooks = [...new Set(edits.map(({ hook }) => hook))].sort(compareHooks);
  for (const hook of hooks) {
    const stack = edits.filter((placed) => placed.hook === hook).map(({ edit }) => edit);
    const current = async () => {
      const results = await stages.forward({ ...place, edits: resolved, hooks: [hook], outputs: [] });
      return results[hook]!;
    };
    resolved.set(hook, await composeStack(stack, current));
  }
  return resolved;
}

/** One edit for the stack of one hook; `current` computes the value that the stack starts from. */
async function composeStack(stack: readonly RunEdit[], current: () => Promise<Value>): Promise<HookEdit> {
  let before: Value | undefined;
  let composed: HookEdit | undefined;
  for (const edit of stack) {
    let known: HookEdit;
    if (isLateEdit(edit)) {
      before ??= await current();
      known = await edit.resolve(composed ? applyEdit(before, composed) : before);
    } else {
      known = edit;
    }
    composed = composed ? composeEdits(composed, known) : known;
  }
  return composed!;
}
