/** Two ends of a connection in memory. Messages are cloned as between processes and webviews, so typed arrays stay what they are. */
import {
  AbstractMessageReader,
  AbstractMessageWriter,
  createMessageConnection,
  type DataCallback,
  type Message,
  type MessageConnection,
} from 'vscode-jsonrpc/node';

class Reader extends AbstractMessageReader {
  private callback: DataCallback | undefined;

  listen(callback: DataCallback) {
    this.callback = callback;
    return { dispose: () => undefined };
  }

  receive(message: Message): void {
    this.callback?.(message);
  }

  close(): void {
    this.fireClose();
  }
}

class Writer extends AbstractMessageWriter {
  constructor(
    private readonly reader: Reader,
    private readonly isOpen: () => boolean,
  ) {
    super();
  }

  async write(message: Message): Promise<void> {
    if (!this.isOpen()) throw new Error('The channel is closed.');
    const copy = structuredClone(message);
    setImmediate(() => this.reader.receive(copy));
  }

  end(): void {
    // Nothing is buffered.
  }
}

export interface ConnectionPair {
  readonly client: MessageConnection;
  readonly server: MessageConnection;
  /** Closes the channel as when the process of the server ends. */
  close(): void;
}

/** Both ends; they do not listen yet. */
export function connectionPair(): ConnectionPair {
  const [toClient, toServer] = [new Reader(), new Reader()];
  let open = true;
  const isOpen = () => open;
  return {
    client: createMessageConnection(toClient, new Writer(toServer, isOpen)),
    server: createMessageConnection(toServer, new Writer(toClient, isOpen)),
    close: () => {
      open = false;
      toClient.close();
      toServer.close();
    },
  };
}
