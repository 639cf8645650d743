/** Programs hold native memory: they must be freed once, and never while they run. */
import { describe, expect, it } from 'vitest';
import type { CompiledProgram } from '../../../../src/engine/graph/session.ts';
import { ProgramCache } from '../../../../src/engine/model/programCache.ts';

/** A program that writes down what happens to it. */
function fake(name: string, events: string[]): () => Promise<CompiledProgram> {
  return async () => {
    events.push(`build ${name}`);
    return {
      inputNames: [],
      outputNames: [],
      run: async () => ({}),
      release: async () => {
        events.push(`free ${name}`);
      },
    };
  };
}

describe('ProgramCache', () => {
  it('builds once for users at the same time', async () => {
    const events: string[] = [];
    const cache = new ProgramCache(2);
    await Promise.all([1, 2, 3].map(() => cache.use('a', fake('a', events), async () => undefined)));
    expect(events).toEqual(['build a']);
  });

  it('frees the program that was not used for longest', async () => {
    const events: string[] = [];
    const cache = new ProgramCache(2);
    for (const key of ['a', 'b', 'a', 'c']) await cache.use(key, fake(key, events), async () => undefined);
    await Promise.resolve();
    expect(events).toEqual(['build a', 'build b', 'build c', 'free b']);
    expect(cache.size).toBe(2);
  });

  it('waits for the run that is under way before it frees', async () => {
    const events: string[] = [];
    const cache = new ProgramCache(1);
    let finish = (): void => {};
    const running = cache.use(
      'a',
      fake('a', events),
      () => new Promise<void>((resolve) => (finish = resolve)),
    );
    await cache.use('b', fake('b', events), async () => undefined);
    await cache.release();
    expect(events).not.toContain('free a');
    finish();
    await running;
    expect(events).toContain('free a');
    expect(events.filter((event) => event.startsWith('free'))).toHaveLength(2);
  });

  it('tries again after a program could not be built', async () => {
    const events: string[] = [];
    const cache = new ProgramCache(2);
    const failing = cache.use(
      'a',
      () => Promise.reject(new Error('no')),
      async () => undefined,
    );
    await expect(failing).rejects.toThrow('no');
    await cache.use('a', fake('a', events), async () => undefined);
    expect(events).toEqual(['build a']);
  });

  it('refuses work after it was released', async () => {
    const cache = new ProgramCache(2);
    await cache.release();
    await expect(cache.use('a', fake('a', []), async () => undefined)).rejects.toThrow('released');
  });
});
