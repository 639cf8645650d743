/** Fetching by key: stale work is cancelled, the last good value stays, errors can be tried again. */

import { describe, expect, it } from 'vitest';
import { EngineError } from '../../../../src/shared/errors.ts';
import { Resource } from '../../../../webview-ui/lib/resource.ts';

function deferred<T>(): {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
} {
  let resolve: (value: T) => void = () => {};
  let reject: (error: unknown) => void = () => {};
  const promise = new Promise<T>((done, fail) => {
    resolve = done;
    reject = fail;
  });
  return { promise, resolve, reject };
}

describe('Resource', () => {
  it('keeps the last good value visible while the next is on its way', async () => {
    const resource = new Resource<number>();
    await resource.load('a', async () => 1);
    const next = deferred<number>();
    const loading = resource.load('b', () => next.promise);
    expect(resource.state.value).toMatchObject({ value: 1, key: 'a', loading: true });
    next.resolve(2);
    await loading;
    expect(resource.state.value).toEqual({ value: 2, key: 'b', loading: false });
  });

  it('cancels the older fetch and ignores its late answer', async () => {
    const resource = new Resource<number>();
    const slow = deferred<number>();
    let aborted = false;
    const first = resource.load('a', (signal) => {
      signal.addEventListener('abort', () => {
        aborted = true;
      });
      return slow.promise;
    });
    await resource.load('b', async () => 2);
    slow.resolve(1);
    await first;
    expect(aborted).toBe(true);
    expect(resource.state.value).toEqual({ value: 2, key: 'b', loading: false });
  });

  it('fetches a key once', async () => {
    const resource = new Resource<number>();
    let fetches = 0;
    const fetch = async (): Promise<number> => ++fetches;
    await Promise.all([resource.load('a', fetch), resource.load('a', fetch)]);
    await resource.load('a', fetch);
    expect(fetches).toBe(1);
  });

  it('tells why there is no value, and can be asked again', async () => {
    const resource = new Resource<number>();
    await resource.load('a', async () => {
      throw new Error('out of memory');
    });
    expect(resource.state.value).toMatchObject({ loading: false, error: 'out of memory' });
    await resource.load('a', async () => 5);
    expect(resource.state.value).toEqual({ value: 5, key: 'a', loading: false });
  });

  it('does not call a cancelled answer an error', async () => {
    const resource = new Resource<number>();
    await resource.load('a', async () => {
      throw new EngineError('cancelled', {});
    });
    expect(resource.state.value.error).toBeUndefined();
  });
});
