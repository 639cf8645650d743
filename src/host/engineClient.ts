/**
 * The engine as the host uses it: started on first use, started again after it stopped, with the models and
 * SAEs that were loaded before. Callers see only `EngineApi`.
 */

import type { ModelInfo, SaeInfo } from '../shared/domain.ts';
import type { CallOptions, EngineApi } from '../shared/engineApi.ts';
import { EngineError, isEngineError } from '../shared/errors.ts';
import type { FeatureLabel } from '../shared/labelApi.ts';
import { conventionKey, type SaeCheck, type SaeConvention } from '../shared/saeCheck.ts';
import { BackOff } from './backOff.ts';
import { Disposable } from './disposable.ts';
import { Emitter } from './emitter.ts';
import { describeForLog, type Log } from './log.ts';

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

/** Calls that need nothing of what the old process held. */
const independent: ReadonlySet<string> = new Set<keyof EngineApi>([
  'ping',
  'openModel',
  'listLocalModels',
  'locateCached',
  'planDownload',
  'download',
  'importLabels',
  'fetchLabels',
  'labelSources',
]);

/** Calls that bring something into the engine; they are repeated in a new process. */
type Replayed = 'openModel' | 'listSaes' | 'configureSae' | 'setUserLabels';

interface Remembered {
  readonly name: Replayed;
  readonly request:
    | { readonly path: string }
    | { readonly model: string; readonly folders: readonly string[] }
    | { readonly sae: string; readonly convention: SaeConvention; readonly check?: SaeCheck }
    | { readonly labels: readonly FeatureLabel[] };
}

/** Starts, restarts and calls the engine. */
export class EngineClient extends Disposable {
  /** The engine's methods. A call starts the engine when it does not run. */
  readonly api: EngineApi;
  readonly onDidChange;
  private readonly changed = this.own(new Emitter<EngineState>());
  private readonly remembered = new Map<string, Remembered>();
  /** SAEs of each model, as they were listed last. */
  private readonly listed = new Map<string, readonly string[]>();
  private readonly backOff: BackOff;
  private current: RunningEngine | undefined;
  private starting: Promise<RunningEngine> | undefined;
  /** What the running process was told of what is remembered, by the same keys. */
  private told = new Map<string, Promise<void>>();
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
    if (name === 'closeModel' && this.isLost((request as { readonly model: string }).model)) {
      this.forget((request as { readonly model: string }).model);
      return undefined;
    }
    const engine = await this.running();
    if (options?.signal?.aborted) throw new EngineError('cancelled', {});
    if (!independent.has(name)) await this.replay(engine, name, request);
    const answer = await callMethod(engine.api, name, request, options);
    if (engine === this.current) this.note(name, request, answer);
    return answer;
  }

  /** True when the model went with an earlier process, and the present one has not been asked for it. */
  private isLost(model: string): boolean {
    const key = keyOf('openModel', model);
    return this.remembered.has(key) && !this.told.has(key);
  }

  /** Remembers what a new process will have to be told, and forgets what was closed. */
  private note(name: keyof EngineApi, request: unknown, answer: unknown): void {
    const told = request as Remembered['request'] & { readonly model: string; readonly sae: string };
    switch (name) {
      case 'openModel':
        this.remember(name, (answer as ModelInfo).id, told);
        break;
      case 'listSaes':
        this.listed.set(
          told.model,
          (answer as readonly SaeInfo[]).map(({ id }) => id),
        );
        this.remember(name, told.model, told);
        break;
      case 'configureSae':
        this.remember(name, told.sae, told);
        break;
      case 'checkSae':
        if (!('text' in told)) this.noteCheck(answer as SaeCheck);
        break;
      case 'setUserLabels':
        this.remember(name, '', told);
        break;
      case 'closeModel':
        this.forget(told.model);
        break;
    }
  }

  /** What was measured of an SAE as it is read now has to stand in the provenance of a new process too. */
  private noteCheck(check: SaeCheck): void {
    const known = this.remembered.get(keyOf('configureSae', check.sae))?.request;
    const convention = known && 'convention' in known ? known.convention : {};
    if (conventionKey(convention) !== conventionKey(check.current.convention)) return;
    this.remember('configureSae', check.sae, { sae: check.sae, convention, check });
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
    this.told = new Map();
    engine.onStopped((reason) => this.stopped(engine, reason));
    this.setState({ kind: 'running' });
    return engine;
  }

  private stopped(engine: RunningEngine, reason: string): void {
    if (this.current !== engine) return;
    this.current = undefined;
    this.told = new Map();
    this.options.log.error(`The engine stopped: ${reason}.`);
    this.backOff.stopped();
    this.setState({ kind: 'stopped', reason });
    engine.dispose();
  }

  /**
   * Tells a new process what the call needs of what the old one held. A model that cannot be opened any more fails
   * the calls that name it, which try again each time, and no others.
   */
  private async replay(engine: RunningEngine, name: keyof EngineApi, request: unknown): Promise<void> {
    const { model } = request as { readonly model?: string };
    const own = model === undefined ? undefined : keyOf(name, model);
    if (name === 'closeModel') {
      // Nothing more is brought in for a model that goes; one that is just being opened goes afterwards.
      await this.told.get(keyOf('openModel', model ?? ''))?.catch(() => undefined);
      return;
    }
    for (const [key, remembered] of [...this.remembered]) {
      if (key === own) continue;
      if (model !== undefined && !this.concerns(model, key, remembered)) continue;
      try {
        await this.tell(engine, key, remembered);
      } catch (error) {
        if (model !== undefined || isEngineError(error, 'engine.stopped')) throw error;
        this.options.log.warn(`${remembered.name} failed in the new process: ${describeForLog(error)}`);
      }
    }
  }

  /** False for other models, and for SAEs that only other models have. */
  private concerns(model: string, key: string, { name, request }: Remembered): boolean {
    if (name === 'openModel' || name === 'listSaes') return key === keyOf(name, model);
    if (name !== 'configureSae' || !('sae' in request)) return true;
    const models = [...this.listed].filter(([, saes]) => saes.includes(request.sae));
    return models.length === 0 || models.some(([id]) => id === model);
  }

  /** Says one thing to a new process, once. A failure is tried again by the next call that needs it. */
  private tell(engine: RunningEngine, key: string, remembered: Remembered): Promise<void> {
    const known = this.told.get(key);
    if (known) return known;
    const { told } = this;
    const telling = this.repeat(engine, key, remembered).catch((error: unknown) => {
      told.delete(key);
      throw error;
    });
    told.set(key, telling);
    return telling;
  }

  private async repeat(engine: RunningEngine, key: string, { name, request }: Remembered): Promise<void> {
    try {
      await callMethod(engine.api, name, request);
    } catch (error) {
      // An SAE that is gone must not take the model with it.
      const isNeeded = name === 'openModel' || name === 'listSaes';
      if (isNeeded || isEngineError(error, 'engine.stopped')) throw error;
      this.remembered.delete(key);
      this.options.log.warn(`${name} failed in the new process: ${describeForLog(error)}`);
    }
  }

  private remember(name: Replayed, id: string, request: Remembered['request']): void {
    const key = keyOf(name, id);
    this.remembered.set(key, { name, request });
    this.told.set(key, Promise.resolve());
  }

  private forget(model: string): void {
    const saes = this.listed.get(model) ?? [];
    this.listed.delete(model);
    this.forgetKey(keyOf('openModel', model));
    this.forgetKey(keyOf('listSaes', model));
    const kept = new Set([...this.listed.values()].flat());
    for (const sae of saes) if (!kept.has(sae)) this.forgetKey(keyOf('configureSae', sae));
  }

  private forgetKey(key: string): void {
    this.remembered.delete(key);
    this.told.delete(key);
  }

  private setState(state: EngineState): void {
    this.currentState = state;
    this.changed.fire(state);
  }
}

function keyOf(name: keyof EngineApi, id: string): string {
  return `${name} ${id}`;
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
