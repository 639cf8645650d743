/**
 * The one door to the extension host: `acquireVsCodeApi` is called here and nowhere else, and a JSON-RPC
 * connection runs over `postMessage`. Arrays of numbers travel as typed arrays.
 */

import {
  AbstractMessageReader,
  AbstractMessageWriter,
  createMessageConnection,
  type DataCallback,
  type Disposable,
  type Message,
  type MessageConnection,
  type MessageReader,
  type MessageWriter,
} from 'vscode-jsonrpc/browser';
import { type Contract, connect } from '../../src/shared/rpc.ts';
import { type ViewEvents, viewEvents } from '../../src/shared/viewApi.ts';

interface VsCodeApi {
  postMessage(message: unknown): void;
  getState(): unknown;
  setState(state: unknown): void;
}

declare function acquireVsCodeApi(): VsCodeApi;

let acquired: VsCodeApi | undefined;

/** VS Code's own object for this webview; it may be acquired only once. */
function vsCode(): VsCodeApi {
  acquired ??= acquireVsCodeApi();
  return acquired;
}

/** What `writeState` kept before the webview was last closed or reloaded. */
export function readState(): unknown {
  return vsCode().getState();
}

/** Keeps `state` over reloads of the webview and of the window. */
export function writeState(state: unknown): void {
  vsCode().setState(state);
}

class WindowReader extends AbstractMessageReader implements MessageReader {
  listen(callback: DataCallback): Disposable {
    const onMessage = (event: MessageEvent): void => {
      if (isMessage(event.data)) callback(event.data);
    };
    window.addEventListener('message', onMessage);
    return { dispose: () => window.removeEventListener('message', onMessage) };
  }
}

class HostWriter extends AbstractMessageWriter implements MessageWriter {
  write(message: Message): Promise<void> {
    vsCode().postMessage(message);
    return Promise.resolve();
  }

  end(): void {}
}

function isMessage(data: unknown): data is Message {
  return typeof data === 'object' && data !== null && (data as { jsonrpc?: unknown }).jsonrpc === '2.0';
}

/** The host as a typed client, and a way to hear of its events. */
export interface Host<Api> {
  readonly api: Api;
  on<Name extends keyof ViewEvents>(name: Name, handler: (event: ViewEvents[Name]) => void): void;
}

/** Opens the connection. Call it once, when the app starts. */
export function connectHost<Api extends Contract<Api>>(): Host<Api> {
  const connection: MessageConnection = createMessageConnection(new WindowReader(), new HostWriter());
  connection.listen();
  return {
    api: connect<Api>(connection),
    on(name, handler) {
      connection.onNotification(viewEvents[name], handler);
    },
  };
}
