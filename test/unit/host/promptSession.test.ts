/** The session’s promises: latest wins, the last good result stays, selections follow the text. */

// The one state of a prompt: newest text wins, old results stay until new ones come.
import { afterEach, describe, expect, it } from 'vitest';
import { silentLog } from '../../../src/host/log.ts';
import { ModelStore } from '../../../src/host/modelStore.ts';
import type { Prompt } from '../../../src/host/prompt.ts';
import { PromptSession } from '../../../src/host/promptSession.ts';
import type { BosPolicy } from '../../../src/shared/domain.ts';
import type { AnalyzeRequest, CallOptions, EngineApi } from '../../../src/shared/engineApi.ts';
import { EngineError } from '../../../src/shared/errors.ts';
import { createFakeEngine } from '../../fixtures/fakeEngine.ts';

const prompt = (text: string, uri = 'file:///a', start = 0): Prompt => ({
  uri,
  name: uri,
  text,
  start,
  narrowed: false,
});

interface Asked {
  readonly request: AnalyzeRequest;
  readonly signal: AbortSignal | undefined;
  readonly finish: () => void;
  readonly fail: (error: unknown) => void;
}

/** A session on an engine whose analyses end when the test says so. */
function createHeldSession(bos?: () => BosPolicy) {
  const fake = createFakeEngine();
  const asked: Asked[] = [];
  const engine: EngineApi = {
    ...fake,
    analyze: (request: AnalyzeRequest, options?: CallOptions) =>
      new Promise((resolve, reject) => {
        asked.push({
          request,
          signal: options?.signal,
          finish: () => fake.analyze(request).then(resolve, reject),
          fail: reject,
        });
      }),
  };
  return { ...createSession(engine, undefined, bos), asked };
}

const sessions: PromptSession[] = [];
afterEach(() => {
  for (const session of sessions.splice(0)) session.dispose();
});

function createSession(engine: EngineApi, model = () => '/models/mini', bos: () => BosPolicy = () => 'auto') {
  const kept = new Map<string, unknown>();
  const memory = {
    get: <T>(key: string) => kept.get(key) as T | undefined,
    update: async (key: string, value: unknown) => void kept.set(key, value),
  };
  const places = () => ({ model: model(), saeFolders: [], bos: bos() });
  const models = new ModelStore({ engine, places, memory, log: silentLog });
  const settings = () => ({ topFeatures: 4, topPredictions: 3 });
  const session = new PromptSession({ engine, models, settings, log: silentLog, debounce: 0 });
  sessions.push(session);
  return { session, models };
}

async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 500 && !condition(); turn++)
    await new Promise((resolve) => setTimeout(resolve, 1));
  expect(condition()).toBe(true);
}

describe('PromptSession', () => {
  it('aborts a stale analysis at once and shows only the latest', async () => {
    const { session, asked } = createHeldSession();
    session.show(prompt('a b'));
    await until(() => asked.length === 1);
    session.show(prompt('a b c'));
    expect(asked[0]?.signal?.aborted).toBe(true);
    await until(() => asked.length === 2);
    asked[1]?.finish();
    await session.settled();
    expect(session.look?.analysis.strip.tokens).toHaveLength(3);
    asked[0]?.finish();
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(session.look?.analysis.strip.tokens).toHaveLength(3);
  });

  it('computes once for a burst of changes', async () => {
    const { session, asked } = createHeldSession();
    for (const text of ['a', 'a b', 'a b c', 'a b c d']) session.show(prompt(text));
    await until(() => asked.length === 1);
    asked[0]?.finish();
    await session.settled();
    expect(asked.map(({ request }) => request.text)).toEqual(['a b c d']);
  });

  it('keeps the last good result while it computes, and through a failure', async () => {
    const { session, asked } = createHeldSession();
    session.show(prompt('a b'));
    await until(() => asked.length === 1);
    asked[0]?.finish();
    await session.settled();
    session.show(prompt('a b c'));
    await until(() => asked.length === 2);
    expect(session.computing).toBe(true);
    expect(session.look?.prompt.text).toBe('a b');
    asked[1]?.fail(new EngineError('engine.stopped', { reason: 'SIGKILL' }));
    await session.settled();
    expect(session.error).toMatchObject({ code: 'engine.stopped' });
    expect(session.look?.prompt.text).toBe('a b');
    session.show(prompt('a b c'));
    await until(() => asked.length === 3);
    asked[2]?.finish();
    await session.settled();
    expect(session.error).toBeUndefined();
    expect(session.look?.prompt.text).toBe('a b c');
  });

  it('says that an empty prompt is empty, and shows nothing of the text before', async () => {
    const { session } = createSession(createFakeEngine());
    session.show(prompt('a b'));
    await session.settled();
    session.show(prompt(''));
    await session.settled();
    expect(session.error).toMatchObject({ code: 'prompt.empty' });
    expect(session.look).toBeUndefined();
    expect(session.selected).toBe(-1);
  });

  it('shows nothing of one document in another', async () => {
    const { session, asked } = createHeldSession();
    session.show(prompt('a b', 'file:///a'));
    await until(() => asked.length === 1);
    asked[0]?.finish();
    await session.settled();
    session.show(prompt('c', 'file:///b'));
    expect(session.look).toBeUndefined();
    session.show(undefined);
    await session.settled();
    expect(session.prompt).toBeUndefined();
    expect(asked[1]?.signal?.aborted ?? true).toBe(true);
  });

  it('selects the token before the caret, also when only a part of the document is meant', async () => {
    const { session } = createSession(createFakeEngine());
    session.show(prompt('When Mary and', 'file:///a', 100));
    await session.settled();
    expect(session.selected).toBe(2);
    const changes: string[] = [];
    session.onDidChange((change) => changes.push(change));
    session.moveCaret(109);
    expect(session.selected).toBe(1);
    session.moveCaret(107);
    expect(changes).toEqual(['selection']);
    expect(session.selectToken(0)).toEqual({ start: 100, end: 104 });
    expect(session.selected).toBe(0);
    expect(session.selectToken(99)).toBeUndefined();
  });

  it('selects a token without text by its position, and not in the document', async () => {
    const fake = createFakeEngine();
    const engine: EngineApi = {
      ...fake,
      analyze: async (request, options) => {
        const analysis = await fake.analyze(request, options);
        const bos = { id: 0, text: '<s>', start: 0, end: 0, special: true as const };
        return { ...analysis, strip: { ...analysis.strip, tokens: [bos, ...analysis.strip.tokens] } };
      },
    };
    const { session } = createSession(engine);
    session.show(prompt('When Mary and', 'file:///a', 100));
    await session.settled();
    expect(session.selected).toBe(3);
    const changes: string[] = [];
    session.onDidChange((change) => changes.push(change));
    expect(session.selectToken(0)).toBeUndefined();
    expect(session.selected).toBe(0);
    expect(changes).toEqual(['selection']);
    expect(session.selectToken(1)).toEqual({ start: 100, end: 104 });
    expect(session.selected).toBe(1);
    session.selectToken(0);
    session.moveCaret(113);
    expect(session.selected).toBe(3);
    session.moveCaret(100);
    expect(session.selected).toBe(1);
  });

  it('computes again when interventions change, with those that act', async () => {
    const { session, asked } = createHeldSession();
    session.show(prompt('a b'));
    await until(() => asked.length === 1);
    asked[0]?.finish();
    await session.settled();
    const edit = session.interventions.add({ target: { kind: 'mlp', layer: 1 }, action: { kind: 'zero' } });
    await until(() => asked.length === 2);
    expect(asked[1]?.request.edits).toEqual([edit]);
    asked[1]?.finish();
    await session.settled();
    expect(session.look?.analysis.effect?.kl).toBe(1.2);
    session.interventions.change(edit.id, { enabled: false });
    await until(() => asked.length === 3);
    expect(asked[2]?.request.edits).toEqual([]);
  });

  it('keeps a contrast with its document', async () => {
    const { session } = createSession(createFakeEngine());
    session.show(prompt('a b', 'file:///a'));
    session.setContrast({ answer: ' Mary', wrong: ' John' });
    await session.settled();
    expect(session.look?.analysis.contrast).toBe(3.2);
    session.show(prompt('c d', 'file:///b'));
    await session.settled();
    expect(session.contrast).toBeUndefined();
    session.show(prompt('a b', 'file:///a'));
    await session.settled();
    expect(session.look?.analysis.contrast).toBe(3.2);
  });

  it('shows the heat of pinned features, then of the selected one, then of the strongest', async () => {
    const { session, models } = createSession(createFakeEngine());
    session.show(prompt('When Mary and John'));
    await session.settled();
    const sae = models.sae?.id ?? '';
    expect(session.look?.heat?.kind).toBe('strongest');
    session.selectFeature({ sae, index: 7 });
    await until(() => session.look?.heat?.kind === 'pinned');
    expect(session.look?.heat?.title).toContain('#7');
    session.pin({ sae, index: 9 }, true);
    await until(() => session.look?.heat?.title.includes('#9') ?? false);
    session.pin({ sae, index: 9 }, false);
    await until(() => session.look?.heat?.title.includes('#7') ?? false);
  });

  it('ends with the heat of the feature that was selected last', async () => {
    const fake = createFakeEngine();
    const releases: (() => void)[] = [];
    const engine: EngineApi = {
      ...fake,
      featureHeat: (request) =>
        new Promise((resolve, reject) => {
          releases.push(() => fake.featureHeat(request).then(resolve, reject));
        }),
    };
    const { session, models } = createSession(engine);
    session.show(prompt('When Mary and John'));
    await session.settled();
    const sae = models.sae?.id ?? '';
    session.selectFeature({ sae, index: 7 });
    session.selectFeature({ sae, index: 9 });
    for (const release of releases) release();
    await until(() => session.look?.heat?.title.includes('#9') ?? false);
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(session.look?.heat?.title).toContain('#9');
  });

  it('shows the prompt even when it cannot be compared', async () => {
    const engine: EngineApi = {
      ...createFakeEngine(),
      comparePrompts: async () => {
        throw new EngineError('prompt.tooLong', { characters: 200_000, limit: 100_000 });
      },
    };
    const { session } = createSession(engine);
    session.show(prompt('a b'));
    session.compareWith({ name: 'other', text: 'long' });
    await session.settled();
    expect(session.error).toBeUndefined();
    expect(session.look?.analysis.strip.tokens).toHaveLength(2);
  });

  it('computes again when another SAE is chosen', async () => {
    const { session, models } = createSession(createFakeEngine());
    session.show(prompt('a b'));
    await session.settled();
    expect(models.sae?.hook).toBe('blocks.2.hook_resid_post');
    const other = models.saes.find((sae) => sae.hook === 'blocks.0.hook_mlp_out');
    models.chooseSae(other?.id ?? '');
    await session.settled();
    expect(session.look?.analysis.features[0]?.sae).toBe(other?.id);
  });

  it('computes a run again that the engine has forgotten', async () => {
    const first = createFakeEngine();
    let current = first;
    const engine = new Proxy(first, { get: (_, name: keyof EngineApi) => current[name] });
    const { session, models } = createSession(engine);
    session.show(prompt('a b'));
    await session.settled();
    current = createFakeEngine();
    await current.openModel({ path: models.model?.path ?? '' });
    const lens = await session
      .withRun(({ analysis }) => engine.logitLens({ run: `${analysis.run}`, top: 1 }))
      .catch((error) => error);
    expect(lens.cells?.[0]).toHaveLength(2);
  });

  it('tells at once that another model cannot be loaded, and recovers when it is back', async () => {
    let path = '/models/mini';
    const { session, models } = createSession(createFakeEngine(), () => path);
    session.show(prompt('a b'));
    await session.settled();
    path = '/missing';
    await expect(models.reload()).rejects.toMatchObject({ code: 'file.missing' });
    expect(session.error).toMatchObject({ code: 'file.missing' });
    path = '/models/mini';
    await models.reload();
    await session.settled();
    expect(session.error).toBeUndefined();
    expect(session.look?.prompt.text).toBe('a b');
  });

  it('keeps the prompt and its place when the model is another one', async () => {
    let path = '/models/mini';
    const { session, models } = createSession(createFakeEngine(), () => path);
    session.show(prompt('When Mary and John', 'file:///a', 100));
    session.moveCaret(109);
    session.setContrast({ answer: ' Mary', wrong: ' John' });
    await session.settled();
    const pin = { sae: models.sae?.id ?? '', index: 3 };
    session.pin(pin, true);
    session.interventions.add({
      target: { kind: 'feature', feature: { sae: pin.sae, index: 1 } },
      action: { kind: 'zero' },
    });
    const mlp = session.interventions.add({ target: { kind: 'mlp', layer: 1 }, action: { kind: 'zero' } });
    await session.settled();
    path = '/models/other';
    await models.reload();
    await session.settled();
    expect(session.look?.model.name).toBe('other');
    expect(session.look?.prompt.text).toBe('When Mary and John');
    expect(session.selected).toBe(1);
    expect(session.contrast).toEqual({ answer: ' Mary', wrong: ' John' });
    // The pin and the feature are of an SAE that this model does not have.
    expect(session.pinned).toEqual([]);
    expect(session.interventions.edits).toHaveLength(2);
    expect(session.interventions.active).toEqual([mlp]);
    path = '/models/mini';
    await models.reload();
    await session.settled();
    expect(session.pinned).toMatchObject([pin]);
    expect(session.interventions.active).toHaveLength(2);
  });

  it('sends no intervention to a model that it does not fit', async () => {
    const { session, asked } = createHeldSession();
    session.interventions.add({ target: { kind: 'mlp', layer: 7 }, action: { kind: 'zero' } });
    session.show(prompt('a b'));
    await until(() => asked.length === 1);
    expect(asked[0]?.request.edits).toEqual([]);
    expect(session.interventions.edits).toHaveLength(1);
  });

  it('moves positions to the same text when the beginning-of-sequence token comes', async () => {
    let bos: BosPolicy = 'never';
    const { session, asked, models } = createHeldSession(() => bos);
    const finish = async (count: number): Promise<void> => {
      await until(() => asked.length === count);
      asked[count - 1]?.finish();
    };
    session.show(prompt('When Mary and'));
    await finish(1);
    await session.settled();
    session.moveCaret(9);
    const target = { kind: 'mlp', layer: 1 } as const;
    session.interventions.add({ target, action: { kind: 'zero' }, positions: [1] });
    await finish(2);
    await session.settled();
    bos = 'always';
    await models.applyBos();
    // Nobody knows the new positions before the tokens are there.
    await until(() => asked.length === 3);
    expect(asked[2]?.request.edits).toEqual([]);
    asked[2]?.finish();
    await finish(4);
    await session.settled();
    expect(asked[3]?.request.edits).toMatchObject([{ target, positions: [2] }]);
    expect(session.look?.analysis.strip.tokens[session.selected]?.text).toBe(' Mary');
  });

  it('leaves out answers that are no tokens of another model, and has them again in the first', async () => {
    let path = '/models/mini';
    const fake = createFakeEngine();
    const engine: EngineApi = {
      ...fake,
      analyze: async (request, options) => {
        if (request.contrast && request.model.includes('other')) {
          throw new EngineError('answer.notOneToken', { text: ' Mary', pieces: '" Ma" "ry"' });
        }
        return fake.analyze(request, options);
      },
    };
    const { session, models } = createSession(engine, () => path);
    session.show(prompt('a b'));
    session.setContrast({ answer: ' Mary', wrong: ' John' });
    await session.settled();
    path = '/models/other';
    await models.reload();
    await session.settled();
    expect(session.error).toBeUndefined();
    expect(session.contrast).toBeUndefined();
    expect(session.look?.model.name).toBe('other');
    path = '/models/mini';
    await models.reload();
    await session.settled();
    expect(session.look?.analysis.contrast).toBe(3.2);
  });

  it('computes again when the SAE is read otherwise', async () => {
    const { session, models, asked } = createHeldSession();
    session.show(prompt('a b'));
    await until(() => asked.length === 1);
    asked[0]?.finish();
    await session.settled();
    const id = models.sae?.id ?? '';
    models.updateSae(id, { convention: undefined });
    models.updateSae(id, { convention: { applyBDecToInput: false } });
    await until(() => asked.length === 2);
    asked[1]?.finish();
    await session.settled();
    expect(asked).toHaveLength(2);
  });

  it('compares with another prompt', async () => {
    const { session } = createSession(createFakeEngine());
    session.show(prompt('a b'));
    session.compareWith({ name: 'other', text: 'a c' });
    await session.settled();
    expect(session.look?.comparison?.pairs.map(({ same }) => same)).toEqual([true, false]);
  });
});
