/**
 * The typed client and server over vscode-jsonrpc, one for both borders. An interface is the contract:
 * every method takes one plain request and, optionally, a signal and a progress callback.
 */

import { CancellationTokenSource, type MessageConnection, ProgressType, ResponseError } from 'vscode-jsonrpc';
import type { Progress } from './domain.ts';
import type { CallOptions } from './engineApi.ts';
import { EngineError, type ErrorCode, type ErrorData, errorTemplates } from './errors.ts';

/** JSON-RPC error code under which an `EngineError` travels; its code and data ride in `data`. */
const engineErrorCode = -32050;

/** JSON-RPC's code for a request that was cancelled. */
const requestCancelledCode = -32800;

const progressType = new ProgressType<Progress>();

interface Envelope {
  readonly request: unknown;
  readonly progress?: string;
}

/** A method of a contract. */
type Method = (request: never, options?: CallOptions) => Promise<unknown>;

/** A contract: an interface of methods only. */
export type Contract<Api> = { readonly [Name in keyof Api]: Method };

let nextProgressToken = 0;

/**
 * A client of `Api` on the other end of `connection`, which must listen before the first call. When the
 * connection closes, it is disposed, so that calls which are under way fail.
 */
export function connect<Api extends Contract<Api>>(connection: MessageConnection): Api {
  // The library leaves calls pending when the other end closes, and rejects them only on disposal.
  connection.onClose(() => connection.dispose());
  const cache = new Map<string, Method>();
  const get = (_target: object, name: string | symbol): Method | undefined => {
    // A proxy that answered to `then` would be taken for a promise when it is awaited.
    if (typeof name === 'symbol' || name === 'then') return undefined;
    let method = cache.get(name);
    if (!method) {
      method = (request, options) => call(connection, name, request, options);
      cache.set(name, method);
    }
    return method;
  };
  return new Proxy({}, { get }) as Api;
}

async function call(
  connection: MessageConnection,
  name: string,
  request: unknown,
  options: CallOptions = {},
): Promise<unknown> {
  if (options.signal?.aborted) throw new EngineError('cancelled', {});
  const source = new CancellationTokenSource();
  const cancel = (): void => source.cancel();
  options.signal?.addEventListener('abort', cancel, { once: true });
  const progress = options.report ? `progress-${nextProgressToken++}` : undefined;
  const listening = progress
    ? connection.onProgress(progressType, progress, (value) => options.report?.(value))
    : undefined;
  try {
    const envelope: Envelope = { request, progress };
    return await connection.sendRequest(name, envelope, source.token);
  } catch (error) {
    throw fromWire(error);
  } finally {
    options.signal?.removeEventListener('abort', cancel);
    listening?.dispose();
    source.dispose();
  }
}

/**
 * Answers the requests that come over `connection` with the methods of `implementation`. Only what `names` lists can
 * be called (its own keys when left out): a class has methods that are no part of its contract.
 */
export function serve<Api extends Contract<Api>>(
  connection: MessageConnection,
  implementation: Api,
  names: readonly string[] = Object.keys(implementation),
): void {
  const methods = implementation as unknown as Record<string, unknown>;
  const served = new Set(names);
  connection.onRequest(async (name, params, token) => {
    const method = served.has(name) ? methods[name] : undefined;
    if (typeof method !== 'function') throw new ResponseError(-32601, `There is no method ${name}.`);
    // A request that was cancelled while it waited gets a token whose event never fires.
    if (token.isCancellationRequested) throw toWire(new EngineError('cancelled', {}));
    const envelope = (Array.isArray(params) ? params[0] : params) as Envelope;
    const controller = new AbortController();
    const listening = token.onCancellationRequested(() => controller.abort());
    const report = (value: Progress): void => {
      if (envelope.progress) void sendProgress(connection, envelope.progress, value);
    };
    try {
      return (
        (await method.call(implementation, envelope.request, { signal: controller.signal, report })) ?? null
      );
    } catch (error) {
      throw toWire(error);
    } finally {
      listening.dispose();
    }
  });
}

/** Reports progress. That nobody listens any more must not end the work, whose own signal says when to stop. */
async function sendProgress(connection: MessageConnection, token: string, value: Progress): Promise<void> {
  try {
    await connection.sendProgress(progressType, token, value);
  } catch {
    // The connection is closed: there is nobody left to tell.
  }
}

function toWire(error: unknown): ResponseError<unknown> {
  if (error instanceof EngineError) {
    return new ResponseError(engineErrorCode, error.message, { code: error.code, data: error.data });
  }
  const bug = error instanceof Error ? error : new Error(String(error));
  return new ResponseError(-32603, bug.message, { stack: bug.stack });
}

function fromWire(error: unknown): unknown {
  if (!(error instanceof ResponseError)) return error;
  if (error.code === requestCancelledCode) return new EngineError('cancelled', {});
  const payload = error.data as { code?: ErrorCode; data?: ErrorData[ErrorCode] } | undefined;
  if (error.code !== engineErrorCode || !payload?.code || !Object.hasOwn(errorTemplates, payload.code))
    return error;
  return new EngineError(payload.code, payload.data as ErrorData[ErrorCode]);
}
