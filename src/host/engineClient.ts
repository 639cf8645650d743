/**
 * The engine as the host uses it: started on first use, started again after it stopped, with the models and
 * SAEs that were loaded before. Callers see only `EngineApi`.
 */

import type { ModelInfo } from '../shared/domain.ts';
import type { CallOptions, EngineApi } from '../shared/engineApi.ts';
import { EngineError } from '../shared/errors.ts';
import { BackOff } from './backOff.ts';
import { Disposable } from './disposable.ts';
import { Emitter } from './emitter.ts';
import type { Log } from './log.ts';

/** A running engine, as far as the client needs to know it. */
export interface RunningEngine {
  readonly api: EngineApi;
  readonly onStopped: (listener: (reason: string) => void) => { dispose(): void };
  stop(reason: string): void;
  dispose(): void;
}

/** Whether the engine runs. `idle`: never started. */
export type EngineState =
  | { readonly kind: 'idle' }
  | { readonly kind: 'running' }
  | { readonly kind: 'stopped'; readonly reason: string };

/** What the client needs to work. */
export interface EngineClientOptions {
  readonly start: () => RunningEngine;
  readonly log: Log;
  readonly backOff?: BackOff;
  readonly wait?: (milliseconds: number) => Promise<void>;
}

/** Calls that bring something into the engine; they are repeated in a new process. */
type Replayed = 'openModel' | 'listSaes';

interface Remembered {
  readonly name: Replayed;
  readonly request:
    | { readonly path: string }
    | { readonly model: string; readonly folders: readonly string[] };
}

/** Starts, restarts and calls the engine. */
export class EngineClient extends Disposable {
  /** The engine's methods. A call starts the engine when it does not run. */
  readonly api: EngineApi;
  readonly onDidChange;
  private readonly changed = this.own(new Emitter<EngineState>());
  private readonly remembered = new Map<string, Remembered>();
  private readonly backOff: BackOff;
  private current: RunningEngine | undefined;
  private starting: Promise<RunningEngine> | undefined;
  private replaying: Promise<void> | undefined;
  private currentState: EngineState = { kind: 'idle' };

  constructor(private readonly options: EngineClientOptions) {
    super();
    this.backOff = options.backOff ?? new BackOff();
    this.onDidChange = this.changed.event;
    const get = (_target: object, name: string | symbol): unknown => {
      if (typeof name === 'symbol' || name === 'then') return undefined;
      return (request: unknown, callOptions?: CallOptions) =>
        this.call(name as keyof EngineApi, request, callOptions);
    };
    this.api = new Proxy({}, { get }) as EngineApi;
  }

  get state(): EngineState {
    return this.currentState;
  }

  /** Stops the engine if it runs and forgets earlier crashes; the next call starts it. */
  restart(): void {
    this.backOff.reset();
    this.current?.stop('it was restarted');
    this.setState({ kind: 'idle' });
  }

  override dispose(): void {
    this.current?.dispose();
    this.current = undefined;
    super.dispose();
  }

  private async call(name: keyof EngineApi, request: unknown, options?: CallOptions): Promise<unknown> {
    const engine = await this.running();
    if (options?.signal?.aborted) throw new EngineError('cancelled', {});
    const isReplayed = name === 'openModel' || name === 'listSaes';
    if (!isReplayed && name !== 'ping') await this.replay(engine);
    const answer = await callMethod(engine.api, name, request, options);
    if (name === 'openModel') {
      this.remember(name, (answer as ModelInfo).id, request as Remembered['request']);
    }
    if (name === 'listSaes') {
      this.remember(name, (request as { model: string }).model, request as Remembered['request']);
    }
    if (name === 'closeModel') this.forget((request as { model: string }).model);
    return answer;
  }

  private running(): Promise<RunningEngine> {
    if (this.isDisposed) throw new EngineError('engine.stopped', { reason: 'it was closed' });
    if (this.current) return Promise.resolve(this.current);
    this.starting ??= this.start().finally(() => {
      this.starting = undefined;
    });
    return this.starting;
  }

  private async start(): Promise<RunningEngine> {
    const decision = this.backOff.decide();
    if (decision.kind === 'refuse') {
      const reason = `it stopped ${decision.stops} times within a minute; see the log`;
      throw new EngineError('engine.stopped', { reason });
    }
    if (decision.delay > 0) await (this.options.wait ?? wait)(decision.delay);
    const engine = this.options.start();
    this.current = engine;
    this.replaying = undefined;
    engine.onStopped((reason) => this.stopped(engine, reason));
    this.setState({ kind: 'running' });
    return engine;
  }

  private stopped(engine: RunningEngine, reason: string): void {
    if (this.current !== engine) return;
    this.current = undefined;
    this.options.log.error(`The engine stopped: ${reason}.`);
    this.backOff.stopped();
    this.setState({ kind: 'stopped', reason });
    engine.dispose();
  }

  /** Loads into a new process what the old one held. A failure fails this call and is tried again by the next. */
  private replay(engine: RunningEngine): Promise<void> {
    this.replaying ??= this.replayAll(engine).catch((error: unknown) => {
      this.replaying = undefined;
      throw error;
    });
    return this.replaying;
  }

  private async replayAll(engine: RunningEngine): Promise<void> {
    for (const { name, request } of this.remembered.values()) {
      await callMethod(engine.api, name, request);
    }
  }

  private remember(name: Replayed, model: string, request: Remembered['request']): void {
    this.remembered.set(`${name} ${model}`, { name, request });
  }

  private forget(model: string): void {
    this.remembered.delete(`openModel ${model}`);
    this.remembered.delete(`listSaes ${model}`);
  }

  private setState(state: EngineState): void {
    this.currentState = state;
    this.changed.fire(state);
  }
}

function callMethod(
  api: EngineApi,
  name: keyof EngineApi,
  request: unknown,
  options?: CallOptions,
): Promise<unknown> {
  const methods = api as unknown as Record<
    string,
    (request: unknown, options?: CallOptions) => Promise<unknown>
  >;
  const method = methods[name];
  if (!method) throw new Error(`The engine has no method ${name}.`);
  return method(request, options);
}

function wait(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
