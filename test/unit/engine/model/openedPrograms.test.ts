/** What opening a model compiles is what looking at prompts needs, so that no block is made ready twice. */
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { runPrompt } from '../../../../src/engine/model/promptRun.ts';
import { Transformer } from '../../../../src/engine/model/transformer.ts';

const compiled = vi.hoisted(() => [] as string[]);
vi.mock('../../../../src/engine/graph/session.ts', async (importOriginal) => {
  const original = await importOriginal<typeof import('../../../../src/engine/graph/session.ts')>();
  const compile: typeof original.compile = (program, options) => {
    compiled.push(program.outputs.map(({ name }) => name).join());
    return original.compile(program, options);
  };
  return { ...original, compile };
});

it('compares a recording by the programs that look at prompts afterwards', async () => {
  const model = await Transformer.open(join(import.meta.dirname, '../../../../models/mini'));
  try {
    expect(model.info.parity.compared).toBe('model');
    const { nLayers } = model.config;
    // The embedding, the blocks, and the logits.
    expect(compiled).toHaveLength(nLayers + 2);
    await runPrompt(model, Int32Array.of(0, 5, 6), { attention: true, hooks: ['blocks.2.hook_resid_post'] });
    expect(compiled).toHaveLength(nLayers + 2);
  } finally {
    await model.release();
  }
});
