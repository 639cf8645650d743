/** JSON-RPC between the host and one webview, over `postMessage`. */

import type * as vscode from 'vscode';
import {
  AbstractMessageReader,
  AbstractMessageWriter,
  createMessageConnection,
  type DataCallback,
  type Message,
  type MessageConnection,
  type MessageReader,
  type MessageWriter,
} from 'vscode-jsonrpc/node';
import { type Contract, serve } from '../../shared/rpc.ts';
import { type ViewEvents, viewEvents } from '../../shared/viewApi.ts';
import { Disposable } from '../disposable.ts';
import { compactMessage } from './compactMessage.ts';

/** The webview's end of a contract: it answers what the view asks, and tells the view what happened. */
export class Surface<Api extends Contract<Api>> extends Disposable {
  private readonly connection: MessageConnection;

  constructor(webview: vscode.Webview, implementation: Api) {
    super();
    this.connection = this.own(
      createMessageConnection(new WebviewReader(webview), new WebviewWriter(webview)),
    );
    serve(this.connection, implementation);
    this.connection.listen();
  }

  /** Tells the view. A hidden view does not hear it and asks when it wakes. */
  tell<Name extends keyof ViewEvents>(name: Name, event: ViewEvents[Name]): void {
    if (!this.isDisposed) void this.connection.sendNotification(viewEvents[name], event);
  }
}

class WebviewReader extends AbstractMessageReader implements MessageReader {
  constructor(private readonly webview: vscode.Webview) {
    super();
  }

  listen(callback: DataCallback): { dispose(): void } {
    return this.webview.onDidReceiveMessage((data: unknown) => {
      if (isMessage(data)) callback(data);
    });
  }
}

class WebviewWriter extends AbstractMessageWriter implements MessageWriter {
  constructor(private readonly webview: vscode.Webview) {
    super();
  }

  async write(message: Message): Promise<void> {
    await this.webview.postMessage(compactMessage(message));
  }

  end(): void {}
}

function isMessage(data: unknown): data is Message {
  return typeof data === 'object' && data !== null && 'jsonrpc' in data && data.jsonrpc === '2.0';
}
