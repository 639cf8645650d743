/** Calls over a connection: what goes in and comes out, and every way in which a call can end. */
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { ResponseError } from 'vscode-jsonrpc/node';
import type { Progress } from '../../../src/shared/domain.ts';
import type { CallOptions } from '../../../src/shared/engineApi.ts';
import { EngineError, isEngineError } from '../../../src/shared/errors.ts';
import { connect, serve } from '../../../src/shared/rpc.ts';
import { connectionPair } from './connectionPair.ts';

interface Api {
  echo(request: unknown, options?: CallOptions): Promise<unknown>;
  work(request: Record<string, never>, options?: CallOptions): Promise<void>;
}

type Work = Api['work'];

function start(work: Work = async () => undefined) {
  const pair = connectionPair();
  const implementation: Api = { echo: async (request) => request, work };
  serve<Api>(pair.server, implementation);
  pair.server.listen();
  pair.client.listen();
  onTestFinished(() => {
    pair.client.dispose();
    pair.server.dispose();
  });
  return { ...pair, api: connect<Api>(pair.client) };
}

function outcome(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => 'it was answered',
    (error: unknown) => error,
  );
}

/** Work that goes on until it is cancelled. */
const endless: Work = (_, options) =>
  new Promise((_resolve, reject) => {
    options?.signal?.addEventListener('abort', () => reject(new EngineError('cancelled', {})));
  });

describe('a call', () => {
  it('hands the request over and the answer back, typed arrays included', async () => {
    const { api } = start();
    const request = {
      text: 'Grüße 🙂',
      none: null,
      list: [1, [2]],
      floats: Float32Array.of(0.1, Number.NaN, Number.NEGATIVE_INFINITY),
      ids: Int32Array.of(-1, 2 ** 31 - 1),
    };
    const answer = (await api.echo(request)) as typeof request;
    expect(answer).toEqual(request);
    expect(answer.floats).toBeInstanceOf(Float32Array);
    expect(answer.ids).toBeInstanceOf(Int32Array);
  });

  it('takes any plain request, and answers null for nothing', async () => {
    const { api } = start();
    for (const request of [null, 0, '', [], [1, 2], { progress: 'x', request: 1 }]) {
      expect(await api.echo(request)).toEqual(request);
    }
    expect(await api.work({})).toBeNull();
  });

  it('keeps calls that are under way at once apart', async () => {
    const { api } = start();
    const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => api.echo(i)));
    expect(answers).toEqual(Array.from({ length: 50 }, (_, i) => i));
  });

  it('fails with the coded error of the other side, data and message included', async () => {
    const { api } = start(async () => {
      throw new EngineError('prompt.tooLong', { characters: 9, limit: 5 });
    });
    const error = await outcome(api.work({}));
    expect(isEngineError(error, 'prompt.tooLong')).toBe(true);
    expect(error).toMatchObject({
      data: { characters: 9, limit: 5 },
      message: 'The prompt has 9 characters; Fovea reads at most 5. Select the part you want to inspect.',
    });
  });

  it('fails with the message and the stack of a bug, which is no coded error', async () => {
    const { api } = start(() => {
      throw new TypeError('x is undefined');
    });
    const error = await outcome(api.work({}));
    expect(error).toBeInstanceOf(ResponseError);
    expect(isEngineError(error)).toBe(false);
    expect(error).toMatchObject({
      message: 'x is undefined',
      data: { stack: expect.stringContaining('rpc.test') },
    });
  });

  it('takes no error for coded whose code it does not know', async () => {
    const pair = connectionPair();
    pair.server.onRequest(() => {
      throw new ResponseError(-32050, 'odd', { code: 'toString', data: {} });
    });
    pair.server.listen();
    pair.client.listen();
    const error = await outcome(connect<Api>(pair.client).work({}));
    expect(isEngineError(error)).toBe(false);
    expect(error).toMatchObject({ message: 'odd' });
  });

  it.each(['missing', 'toString', 'constructor', 'hasOwnProperty', '__proto__'])(
    'of a method that does not exist (%s) is refused',
    async (name) => {
      const { client } = start();
      const error = await outcome(client.sendRequest(name, { request: {} }));
      expect(error).toMatchObject({ code: -32601, message: `There is no method ${name}.` });
    },
  );
});

describe('the client', () => {
  it('is no promise, and its methods stay the same', async () => {
    const { api } = start();
    expect(await Promise.resolve(api)).toBe(api);
    expect(api.echo).toBe(api.echo);
  });
});

describe('progress', () => {
  it('arrives in order and before the answer, each call its own', async () => {
    const { api } = start(async (_, options) => {
      for (let done = 1; done <= 3; done++) {
        options?.report?.({ done, total: 3, what: 'Working' });
        await new Promise((resolve) => setImmediate(resolve));
      }
    });
    const [first, second]: [Progress[], Progress[]] = [[], []];
    await Promise.all([
      api.work({}, { report: (step) => first.push(step) }),
      api.work({}, { report: (step) => second.push(step) }),
    ]);
    const expected = [1, 2, 3].map((done) => ({ done, total: 3, what: 'Working' }));
    expect(first).toEqual(expected);
    expect(second).toEqual(expected);
  });

  it('may be reported where nobody listens, and after the other side is gone', async () => {
    const reached = vi.fn();
    const { api, server } = start(async (_, options) => {
      options?.report?.({ done: 1, total: 2, what: 'Working' });
      server.dispose();
      options?.report?.({ done: 2, total: 2, what: 'Working' });
      reached();
    });
    void outcome(api.work({}, { report: () => undefined }));
    await vi.waitFor(() => expect(reached).toHaveBeenCalled());
    const quiet = start(async (_, options) => options?.report?.({ done: 1, total: 1, what: 'Working' }));
    expect(await quiet.api.work({})).toBeNull();
  });
});

describe('cancelling', () => {
  it('aborts the work on the other side, and the call fails as cancelled', async () => {
    const controller = new AbortController();
    const seen = vi.fn();
    const { api } = start((request, options) => {
      options?.signal?.addEventListener('abort', seen);
      options?.report?.({ done: 0, total: 0, what: 'Started' });
      return endless(request, options);
    });
    const call = outcome(api.work({}, { signal: controller.signal, report: () => controller.abort() }));
    expect(isEngineError(await call, 'cancelled')).toBe(true);
    expect(seen).toHaveBeenCalledOnce();
  });

  it('is seen before the call is sent', async () => {
    const work = vi.fn(endless);
    const { api } = start(work);
    const error = await outcome(api.work({}, { signal: AbortSignal.abort() }));
    expect(isEngineError(error, 'cancelled')).toBe(true);
    expect(await api.echo(1)).toBe(1);
    expect(work).not.toHaveBeenCalled();
  });

  it('keeps a call that still waits on the other side from starting', async () => {
    const controller = new AbortController();
    const work = vi.fn(endless);
    const { api } = start(work);
    const call = outcome(api.work({}, { signal: controller.signal }));
    controller.abort();
    expect(isEngineError(await call, 'cancelled')).toBe(true);
    expect(await api.echo(1)).toBe(1);
    expect(work).not.toHaveBeenCalled();
  });

  it('leaves other calls alone', async () => {
    const controller = new AbortController();
    const { api } = start(endless);
    const cancelled = outcome(api.work({}, { signal: controller.signal }));
    const other = api.echo('other');
    controller.abort();
    expect(await other).toBe('other');
    expect(isEngineError(await cancelled, 'cancelled')).toBe(true);
  });
});

describe('a connection that closes', () => {
  it('fails the calls that are under way and those that come later', async () => {
    const { api, close } = start(endless);
    const pending = outcome(api.work({}));
    await api.echo('reached');
    close();
    expect(await pending).toBeInstanceOf(Error);
    expect(isEngineError(await pending)).toBe(false);
    expect(await outcome(api.echo(1))).toBeInstanceOf(Error);
  });

  it('fails pending calls also when it is disposed on this side', async () => {
    const { api, client } = start(endless);
    const pending = outcome(api.work({}));
    client.dispose();
    expect(await pending).toBeInstanceOf(Error);
  });
});
