/** Searches for circuits that overtake each other: only what is shown in the end is told. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { OpenCircuits } from '../../../../src/host/circuits/openCircuits.ts';
import { attributionGraph } from '../../../../src/host/commands/findCircuits.ts';
import { silentLog } from '../../../../src/host/log.ts';
import type { CommandServices } from '../../../../src/host/services.ts';
import type { EngineApi } from '../../../../src/shared/engineApi.ts';
import { tinyCircuit } from '../../../fixtures/tinyCircuit.ts';

const user = vi.hoisted(() => ({ told: [] as string[] }));

vi.mock('vscode', () => ({
  l10n: {
    t: (text: string, ...values: unknown[]) =>
      text.replace(/\{(\d)\}/g, (_, at) => String(values[Number(at)])),
  },
  Uri: class {},
  ProgressLocation: { Window: 10, Notification: 15 },
  window: {
    showInformationMessage: async (message: string) => void user.told.push(message),
    withProgress: (_: unknown, work: (progress: object, token: object) => Promise<unknown>) =>
      work({ report: () => {} }, { onCancellationRequested: () => ({ dispose() {} }) }),
  },
}));
vi.mock('../../../../src/host/commands/confirmSearch.ts', () => ({ confirmSearch: async () => true }));

afterEach(() => {
  user.told = [];
});

describe('a search', () => {
  it('that was overtaken tells nothing, though its answer comes', async () => {
    const answers: (() => void)[] = [];
    const found = (allNodes: number) => ({
      circuit: tinyCircuit,
      allNodes,
      replacementScore: allNodes / 1000,
      completenessScore: 0.75,
    });
    const engine = {
      attributionGraph: () =>
        new Promise((resolve) => {
          const allNodes = 100 * (answers.length + 1);
          answers.push(() => resolve(found(allNodes)));
        }),
    } as unknown as EngineApi;
    const model = { id: 'm', name: 'mini' };
    const models = { model, saes: [{ id: 't', kind: 'transcoder', layer: 0 }], ensure: async () => model };
    const storage = { load: () => [], save: () => {}, remove: () => {} };
    const circuits = new OpenCircuits({ engine, models: models as never, storage, log: silentLog });
    const prompt = { uri: 'file:///a', name: 'a.prompt.txt', text: 'When Mary' };
    const services = {
      engine,
      models,
      circuits,
      session: { prompt, look: { prompt }, settled: async () => {} },
      documents: { document: undefined },
      circuitPanel: { show: () => {} },
    } as unknown as CommandServices;
    const first = attributionGraph(services);
    await vi.waitFor(() => expect(answers).toHaveLength(1));
    const second = attributionGraph(services);
    await vi.waitFor(() => expect(answers).toHaveLength(2));
    for (const answer of answers) answer();
    await Promise.all([first, second]);
    expect(user.told).toEqual([expect.stringContaining('replacement score 0.2,')]);
    circuits.dispose();
  });
});
