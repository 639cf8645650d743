/** One life of the engine: a forked Node process and the connection to it. Restarts are decided elsewhere. */

import { type ChildProcess, fork } from 'node:child_process';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import {
  createMessageConnection,
  IPCMessageReader,
  IPCMessageWriter,
  type MessageConnection,
} from 'vscode-jsonrpc/node';
import type { EngineApi } from '../shared/engineApi.ts';
import { EngineError } from '../shared/errors.ts';
import { connect } from '../shared/rpc.ts';
import { Disposable } from './disposable.ts';
import { Emitter } from './emitter.ts';
import type { Log } from './log.ts';

/** How to start the engine. */
export interface EngineProcessOptions {
  /** The bundled script of the engine. */
  readonly entry: string;
  /** Threads for the numeric kernels; 0 leaves the choice to the engine. */
  readonly threads: number;
  /** Folder for what the engine keeps between runs; its own choice when left out. */
  readonly storage?: string;
  /** Proxy for downloads when the environment names none; empty for none. */
  readonly proxy?: string;
  readonly log: Log;
}

/** A running engine. */
export class EngineProcess extends Disposable {
  /** Fires once, with the reason, when the process is gone. */
  readonly onStopped;
  /** The engine's methods; they fail with `engine.stopped` once the process is gone. */
  readonly api: EngineApi;
  private readonly stoppedEmitter = this.own(new Emitter<string>());
  private readonly child: ChildProcess;
  private readonly connection: MessageConnection;
  private stoppedBecause: string | undefined;

  constructor(private readonly options: EngineProcessOptions) {
    super();
    this.onStopped = this.stoppedEmitter.event;
    this.child = startChild(options);
    this.connection = createMessageConnection(
      new IPCMessageReader(this.child),
      new IPCMessageWriter(this.child),
      connectionLogger(options.log),
    );
    this.listen();
    this.api = this.guard(connect<EngineApi>(this.connection));
  }

  /** The operating system's id of the process. */
  get pid(): number | undefined {
    return this.child.pid;
  }

  /** Why the process stopped; nothing while it runs. */
  get stopReason(): string | undefined {
    return this.stoppedBecause;
  }

  /** Ends the process. Pending calls fail with `engine.stopped` and `reason`. */
  stop(reason: string): void {
    this.finish(reason);
    this.child.kill();
  }

  override dispose(): void {
    this.stop('it was closed');
    super.dispose();
  }

  private listen(): void {
    const { child, connection } = this;
    pipeLines(child.stdout, (line) => this.options.log.info(line));
    pipeLines(child.stderr, (line) => this.options.log.warn(line));
    child.on('exit', (code, signal) => this.finish(signal ?? `exit code ${code}`));
    child.on('error', (error) => this.finish(error.message));
    child.on('disconnect', () => {
      // Without a channel the process cannot be asked anything again. `exit` usually follows and knows the reason.
      setTimeout(() => {
        this.finish('the channel closed');
        child.kill();
      }, 250).unref();
    });
    connection.onError(([error]) => this.options.log.warn(`engine connection: ${error.message}`));
    connection.listen();
  }

  private finish(reason: string): void {
    if (this.stoppedBecause !== undefined) return;
    this.stoppedBecause = reason;
    // Disposing rejects whatever is pending; `guard` words that as a stop.
    this.connection.dispose();
    this.stoppedEmitter.fire(reason);
  }

  private guard(api: EngineApi): EngineApi {
    const methods = api as unknown as Record<string, (...parameters: unknown[]) => Promise<unknown>>;
    const get = (_target: object, name: string | symbol): unknown => {
      if (typeof name === 'symbol' || name === 'then') return undefined;
      return async (...parameters: unknown[]) => {
        this.throwIfStopped();
        try {
          return await methods[name]?.(...parameters);
        } catch (error) {
          if (!(error instanceof EngineError)) this.throwIfStopped();
          throw error;
        }
      };
    };
    return new Proxy({}, { get }) as EngineApi;
  }

  private throwIfStopped(): void {
    if (this.stoppedBecause !== undefined) {
      throw new EngineError('engine.stopped', { reason: this.stoppedBecause });
    }
  }
}

function startChild(options: EngineProcessOptions): ChildProcess {
  // The variables of the hub (HF_HOME, HF_HUB_CACHE, HF_TOKEN, …) pass on with all others.
  const env: NodeJS.ProcessEnv = { ...process.env };
  // Options meant for the editor's own process (debuggers, loaders) must not reach the engine.
  delete env.NODE_OPTIONS;
  if (process.versions.electron) env.ELECTRON_RUN_AS_NODE = '1';
  if (options.threads > 0) env.FOVEA_THREADS = String(options.threads);
  if (options.storage) env.FOVEA_STORAGE = options.storage;
  if (options.proxy && !env.HTTPS_PROXY && !env.https_proxy) env.HTTPS_PROXY = options.proxy;
  // Lets fetch go through the proxy that the environment names (Node 22.21 and later).
  env.NODE_USE_ENV_PROXY ??= '1';
  // glibc would keep what large models leave behind for itself; blocks of 256 KB and more go back to the system.
  env.MALLOC_MMAP_THRESHOLD_ ??= '262144';
  return fork(options.entry, [], {
    cwd: dirname(options.entry),
    env,
    execArgv: [],
    serialization: 'advanced',
    silent: true,
  });
}

function pipeLines(stream: Readable | null, write: (line: string) => void): void {
  if (stream) createInterface({ input: stream }).on('line', write);
}

function connectionLogger(log: Log) {
  return {
    error: (message: string) => log.error(message),
    warn: (message: string) => log.warn(message),
    info: (message: string) => log.info(message),
    log: (message: string) => log.debug(message),
  };
}
