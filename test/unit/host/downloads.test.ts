/** Downloads as the Models view knows them. */

import { describe, expect, it } from 'vitest';
import { Downloads } from '../../../src/host/downloads.ts';
import type { CallOptions } from '../../../src/shared/callOptions.ts';

/** A download that the test ends. */
function held() {
  let options: CallOptions = {};
  let finish = (_path: string): void => undefined;
  let fail = (_error: unknown): void => undefined;
  const work = (given: CallOptions): Promise<string> => {
    options = given;
    return new Promise((resolve, reject) => {
      finish = resolve;
      fail = reject;
    });
  };
  return {
    work,
    options: () => options,
    finish: (path: string) => finish(path),
    fail: (error: unknown) => fail(error),
  };
}

describe('Downloads', () => {
  it('are listed while they run, with how far they are', async () => {
    const downloads = new Downloads();
    const seen: number[] = [];
    downloads.onDidChange(() => seen.push(downloads.current.length));
    const one = held();
    const running = downloads.run('gpt2', one.work);
    expect(downloads.current).toEqual([{ id: 'download-1', title: 'gpt2' }]);
    const progress = { done: 3, total: 10, what: 'model.safetensors' };
    one.options().report?.(progress);
    expect(downloads.current).toMatchObject([{ title: 'gpt2', progress }]);
    one.finish('/there');
    expect(await running).toBe('/there');
    expect(downloads.current).toEqual([]);
    expect(seen).toEqual([1, 1, 0]);
  });

  it('are stopped one by one', async () => {
    const downloads = new Downloads();
    const [one, other] = [held(), held()];
    const running = downloads.run('one', one.work);
    void downloads.run('other', other.work);
    downloads.cancel(downloads.current[0]?.id ?? '');
    expect(one.options().signal?.aborted).toBe(true);
    expect(other.options().signal?.aborted).toBe(false);
    one.fail(new Error('stopped'));
    await expect(running).rejects.toThrow('stopped');
    expect(downloads.current.map(({ title }) => title)).toEqual(['other']);
  });

  it('stop when the window closes or the caller gives up, and reports that come late change nothing', async () => {
    const downloads = new Downloads();
    const caller = new AbortController();
    const [one, other] = [held(), held()];
    const running = downloads.run('one', one.work, caller.signal);
    void downloads.run('other', other.work);
    caller.abort();
    expect(one.options().signal?.aborted).toBe(true);
    downloads.dispose();
    expect(other.options().signal?.aborted).toBe(true);
    one.finish('/there');
    await running;
    one.options().report?.({ done: 1, total: 1, what: '' });
    expect(downloads.current.map(({ title }) => title)).toEqual(['other']);
  });
});
