/** What a reload of the window brings back. */

// What a reload brings back.
import { afterEach, describe, expect, it } from 'vitest';
import { silentLog } from '../../../src/host/log.ts';
import { ModelStore } from '../../../src/host/modelStore.ts';
import { PromptSession } from '../../../src/host/promptSession.ts';
import { SessionMemory } from '../../../src/host/sessionMemory.ts';
import { createFakeEngine } from '../../fixtures/fakeEngine.ts';

const prompt = { uri: 'file:///a', name: 'a', text: 'When Mary and John', start: 0, narrowed: false };
const windows: { dispose(): void }[] = [];
afterEach(() => {
  for (const open of windows.splice(0)) open.dispose();
});

/** A window: the state that a reload brings to life again, over what `kept` holds. */
function openWindow(kept: Map<string, unknown>, open: (uri: string) => Promise<void> = async () => {}) {
  const memory = {
    get: <T>(key: string) => structuredClone(kept.get(key)) as T | undefined,
    update: async (key: string, value: unknown) => void kept.set(key, JSON.parse(JSON.stringify(value))),
  };
  const engine = createFakeEngine();
  const places = () => ({ model: '/models/mini', saeFolders: [] });
  const models = new ModelStore({ engine, places, memory, log: silentLog });
  const settings = () => ({ topFeatures: 4, topPredictions: 3 });
  const session = new PromptSession({ engine, models, settings, log: silentLog, debounce: 0 });
  const sessionMemory = new SessionMemory({ memory, session, log: silentLog, open });
  windows.push(sessionMemory, session);
  return { session, sessionMemory, models };
}

async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 2000 && !condition(); turn++)
    await new Promise((resolve) => setTimeout(resolve, 2));
  expect(condition()).toBe(true);
}

describe('SessionMemory', () => {
  it('brings back document, contrast, interventions and pins after a reload', async () => {
    const kept = new Map<string, unknown>();
    const before = openWindow(kept);
    before.session.show(prompt);
    await before.session.settled();
    before.session.setContrast({ answer: ' Mary', wrong: ' John' });
    before.session.interventions.add({ target: { kind: 'mlp', layer: 1 }, action: { kind: 'zero' } });
    before.session.pin({ sae: before.models.sae?.id ?? '', index: 3 }, true);
    await before.session.settled();
    await until(() => (kept.get('session') as { pins?: unknown[] } | undefined)?.pins?.length === 1);

    const opened: string[] = [];
    const after = openWindow(kept, async (uri) => void opened.push(uri));
    await Promise.all([after.sessionMemory.restorePrompt(), after.sessionMemory.restorePrompt()]);
    expect(opened).toEqual(['file:///a']);
    after.session.show(prompt);
    await after.session.settled();
    expect(after.session.contrast).toEqual({ answer: ' Mary', wrong: ' John' });
    expect(after.session.interventions.edits.map(({ target }) => target)).toEqual([
      { kind: 'mlp', layer: 1 },
    ]);
    expect(after.session.pinned.map(({ index }) => index)).toEqual([3]);
    expect(after.session.look?.analysis.effect).toBeDefined();
    expect(after.session.look?.heat?.kind).toBe('pinned');
  });

  it('leaves an empty state when the document is gone', async () => {
    const kept = new Map<string, unknown>([['session', { uri: 'file:///gone', edits: 'damaged', pins: [] }]]);
    const { session, sessionMemory } = openWindow(kept, async () => {
      throw new Error('There is no such file.');
    });
    await sessionMemory.restorePrompt();
    expect(session.prompt).toBeUndefined();
    expect(session.interventions.edits).toEqual([]);
  });
});
