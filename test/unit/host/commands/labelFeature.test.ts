/** Writing a label of one's own: what stands in the box, and what comes before a refusal when labels are fetched. */
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { fetchLabels, labelFeature } from '../../../../src/host/commands/labelCommands.ts';
import { silentLog } from '../../../../src/host/log.ts';
import type { CommandServices } from '../../../../src/host/services.ts';
import type { SaeInfo } from '../../../../src/shared/domain.ts';
import { EngineError } from '../../../../src/shared/errors.ts';

const user = vi.hoisted(() => ({
  boxes: [] as { readonly value?: string; readonly placeHolder?: string }[],
  answer: undefined as string | undefined,
}));

vi.mock('vscode', () => ({
  l10n: { t: (text: string) => text },
  ProgressLocation: { Notification: 15 },
  workspace: { asRelativePath: () => 'fovea.labels.json' },
  window: {
    showInputBox: async (options: { readonly value?: string; readonly placeHolder?: string }) => {
      user.boxes.push(options);
      return user.answer;
    },
    showInformationMessage: async (_text: string, _options: unknown, action?: string) => action,
    withProgress: (_: unknown, work: (progress: object, token: object) => Promise<unknown>) =>
      work({ report: () => undefined }, { onCancellationRequested: () => ({ dispose() {} }) }),
  },
}));

const sae = { id: 's', hook: 'blocks.0.hook_resid_post', neuronpediaId: 'm/0-res' } as SaeInfo;

function makeServices(own?: string) {
  const written: unknown[] = [];
  const done: string[] = [];
  const services = {
    log: silentLog,
    models: {
      ensure: async () => undefined,
      refreshSaes: async () => void done.push('listed'),
      saes: [sae],
      sae,
    },
    labels: {
      load: async () => undefined,
      get: () => own,
      set: async (...label: unknown[]) => void written.push(label),
      uri: {},
    },
    session: {
      catalog: { get: () => ({ label: own }), clear: () => undefined },
      look: { analysis: { features: [{ sae: 's', indices: [1] }] } },
      refresh: () => void done.push('refreshed'),
      settled: async () => undefined,
    },
    engine: {
      fetchLabels: async () => {
        throw new EngineError('labels.unavailable', { endpoint: 'e', source: 'm/0-res', reason: '429' });
      },
    },
  };
  return { services: services as unknown as CommandServices, written, done, session: services.session };
}

beforeEach(() => {
  user.boxes = [];
  user.answer = undefined;
});

describe('Label Feature', () => {
  it('shows an imported label as a hint, so that accepting the empty box makes it nobody’s own', async () => {
    const { services, written, session } = makeServices();
    session.catalog.get = () => ({ label: 'imported' });
    user.answer = '';
    await labelFeature(services, { sae: 's', index: 1 });
    expect(user.boxes[0]).toMatchObject({ value: '', placeHolder: 'imported' });
    expect(written).toEqual([]);
  });

  it('shows the user’s own label to be changed', async () => {
    const { services, written } = makeServices('mine');
    user.answer = 'better';
    await labelFeature(services, { sae: 's', index: 1 });
    expect(user.boxes[0]).toMatchObject({ value: 'mine' });
    expect(written).toEqual([[{ source: 'm/0-res', index: 1 }, 'better']]);
  });
});

describe('Fetch Labels', () => {
  it('shows what came before a refusal', async () => {
    const { services, done } = makeServices();
    await expect(fetchLabels(services)).rejects.toMatchObject({ code: 'labels.unavailable' });
    expect(done.slice(0, 2)).toEqual(['listed', 'refreshed']);
  });
});
