/**
 * What hooks cost: the blocks of GPT-2 small over 64 tokens with every hook declared, against the same programs without
 * any. Runs alternate, so that whatever else the machine does falls on both alike.
 */

import { join } from 'node:path';
import { type BlockHook, blockHookName, costlyHooks } from '../src/engine/model/hooks.ts';
import { type RunRequest, Transformer } from '../src/engine/model/transformer.ts';
import { seededRandom } from '../src/engine/random.ts';
import type { HookName } from '../src/shared/domain.ts';
import { type Figure, finish, median, timed } from './figure.ts';
import { gpt2Small, randomModelFolder } from './randomModel.ts';

const rounds = 24;
const warmUp = 3;
const positions = 64;

/** The places where the extension's interventions act. */
const edited: readonly BlockHook[] = [
  'hook_resid_pre',
  'attn.hook_q',
  'attn.hook_k',
  'attn.hook_v',
  'attn.hook_pattern',
  'attn.hook_z',
  'hook_attn_out',
  'hook_resid_mid',
  'mlp.hook_pre',
  'mlp.hook_post',
  'hook_mlp_out',
  'hook_resid_post',
];

function everywhere(hooks: readonly BlockHook[]): HookName[] {
  return Array.from({ length: gpt2Small.nLayers }, (_, layer) =>
    hooks.map((hook) => blockHookName(layer, hook)),
  ).flat();
}

async function main(): Promise<void> {
  const model = await Transformer.open(await randomModelFolder(join('.cache', 'bench', 'gpt2-small-random')));
  // Hooks that are computed on the way in any case; the others are made only for those who ask for them.
  const ordinary = (model.info.blockHooks as BlockHook[]).filter((hook) => !costlyHooks.has(hook));
  const random = seededRandom('tokens');
  const tokens = [Int32Array.from({ length: positions }, () => random.int(gpt2Small.dVocab))];
  // One hook that is wanted makes its program declare all of them; this one is a single number per position.
  const declared = everywhere(['ln1.hook_scale']);
  const edits = everywhere(edited).map((hook) => ({ hook, keep: 1, add: 0 }));
  const plain: RunRequest = { tokens, logits: 'none' };
  const variants: readonly { name: string; request: RunRequest; target?: number }[] = [
    { name: 'declared', request: { ...plain, capture: declared }, target: 1.25 },
    { name: 'declared and fetched', request: { ...plain, capture: everywhere(ordinary) } },
    { name: 'declared, with edit inputs at twelve of them', request: { ...plain, capture: declared, edits } },
  ];
  const base: { wall: number; cpu: number }[] = [];
  const others = variants.map((): { wall: number; cpu: number }[] => []);
  for (let round = -warmUp; round < rounds; round++) {
    for (const [i, { request }] of variants.entries()) {
      const without = await timed(() => model.run(plain));
      const withHooks = await timed(() => model.run(request));
      if (round < 0) continue;
      base.push(without);
      others[i]?.push(withHooks);
    }
  }
  const of = (part: 'wall' | 'cpu', runs: readonly { wall: number; cpu: number }[]) =>
    median(runs.map((run) => run[part]));
  const figures = variants.map(({ name, target }, i): Figure => {
    const mine = base.filter((_, run) => run % variants.length === i);
    const runs = others[i] ?? [];
    const ratio = (part: 'wall' | 'cpu') => of(part, runs) / of(part, mine);
    const detail =
      `${of('wall', runs).toFixed(0)} ms against ${of('wall', mine).toFixed(0)} ms; ` +
      `by CPU time ${ratio('cpu').toFixed(2)}; ${runs.length} pairs`;
    return {
      what: `forward of ${positions} tokens with all hooks ${name}`,
      value: ratio('wall'),
      unit: '×',
      target,
      detail,
    };
  });
  finish(figures);
}

void main();
