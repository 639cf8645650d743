/** Downloading from the palette: what is asked, of whom, in which order, and how a failure goes on. VS Code is made up. */
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { downloadModel, setHubToken } from '../../../src/host/commands/hubCommands.ts';
import { Downloads } from '../../../src/host/downloads.ts';
import { silentLog } from '../../../src/host/log.ts';
import type { CommandServices } from '../../../src/host/services.ts';
import type { CallOptions } from '../../../src/shared/callOptions.ts';
import { EngineError } from '../../../src/shared/errors.ts';
import type { DownloadPlan, HubRequest } from '../../../src/shared/hubApi.ts';

interface Picked {
  readonly label: string;
  readonly description?: string;
  readonly detail?: string;
}

interface InputOptions {
  readonly password?: boolean;
  readonly validateInput?: (text: string) => string | undefined;
}

/** What the user does, and what the user sees. */
const user = vi.hoisted(() => ({
  settings: {} as Record<string, unknown>,
  input: undefined as string | undefined,
  inputOptions: undefined as InputOptions | undefined,
  picks: [] as number[],
  offered: [] as { readonly items: readonly Picked[]; readonly placeHolder: string }[],
  answers: [] as (string | undefined)[],
  told: [] as string[],
  progress: [] as string[],
}));

vi.mock('vscode', () => {
  const t = (text: string, ...values: unknown[]): string => {
    const named = typeof values[0] === 'object' ? (values[0] as Record<string, unknown>) : values;
    return text.replace(/\{(\w+)\}/g, (_, key: string) => String((named as Record<string, unknown>)[key]));
  };
  return {
    l10n: { t },
    ProgressLocation: { Notification: 15 },
    CancellationError: class extends Error {},
    workspace: { getConfiguration: () => ({ get: (name: string) => user.settings[name] }) },
    window: {
      showInputBox: async (options: InputOptions) => {
        user.inputOptions = options;
        return user.input;
      },
      showQuickPick: async (items: readonly Picked[], { placeHolder }: { placeHolder: string }) => {
        user.offered.push({ items, placeHolder });
        const at = user.picks.shift();
        return at === undefined ? undefined : items[at];
      },
      showErrorMessage: async (message: string, ...actions: string[]) => {
        user.told.push([message, ...actions].join(' | '));
        return user.answers.shift();
      },
      showInformationMessage: async (message: string) => void user.told.push(message),
      withProgress: (_: unknown, work: (progress: object, token: object) => Promise<unknown>) =>
        work(
          { report: ({ message }: { message: string }) => user.progress.push(message) },
          { onCancellationRequested: () => ({ dispose() {} }) },
        ),
    },
  };
});

const plan: DownloadPlan = {
  repo: 'acme/tiny',
  revision: 'main',
  commit: 'abcdef0123456789abcdef0123456789abcdef01',
  what: { kind: 'model' },
  endpoint: 'https://hub.example',
  files: [
    { path: 'config.json', size: 500, blob: 'a'.repeat(40), cached: true },
    { path: 'model.safetensors', size: 269_000_000, blob: 'b'.repeat(64), cached: false },
    { path: 'tokenizer.json', size: 1_000_000, blob: 'c'.repeat(40), cached: false },
  ],
  bytes: 270_000_500,
  toDownload: 270_000_000,
  cache: '/home/me/.cache/huggingface/hub',
  path: '/snapshot',
};

/** An engine that answers as it is told, and writes down what it was asked. */
function makeServices(answers: {
  readonly cached?: string;
  readonly plan?: (request: HubRequest) => DownloadPlan;
  readonly download?: () => void;
}) {
  const asked: unknown[] = [];
  const secrets = new Map<string, string>();
  const downloads = new Downloads();
  const engine = {
    locateCached: async (request: unknown) => {
      asked.push(['locate', request]);
      return answers.cached === undefined ? {} : { path: answers.cached };
    },
    planDownload: async (request: HubRequest) => {
      asked.push(['plan', request]);
      return answers.plan?.(request) ?? plan;
    },
    download: async (request: { readonly token?: string }, call: CallOptions) => {
      asked.push(['download', request.token]);
      call.report?.({ done: 135_000_000, total: 270_000_000, what: 'model.safetensors' });
      expect(downloads.current[0]?.progress?.done).toBe(135_000_000);
      answers.download?.();
      return { path: '/snapshot' };
    },
  };
  const context = {
    secrets: {
      get: async (key: string) => secrets.get(key),
      store: async (key: string, value: string) => void secrets.set(key, value),
      delete: async (key: string) => void secrets.delete(key),
    },
  };
  const services = { engine, context, downloads, log: silentLog } as unknown as CommandServices;
  const steps = () => asked.map((entry) => (entry as [string])[0]);
  return { services, asked, secrets, steps };
}

beforeEach(() => {
  const settings = { 'fovea.hub.endpoint': 'https://hub.example' };
  Object.assign(user, { settings, input: undefined, inputOptions: undefined });
  for (const list of [user.picks, user.offered, user.answers, user.told, user.progress]) list.length = 0;
});

describe('Download Model', () => {
  it('asks for a name, then whether to download so much from there to here, and only then downloads', async () => {
    const { services, asked } = makeServices({});
    user.input = 'acme/tiny@v1';
    user.picks.push(0);
    expect(await downloadModel(services)).toBe('/snapshot');
    const name = { repo: 'acme/tiny', revision: 'v1', what: { kind: 'model' } };
    expect(asked).toEqual([
      ['locate', name],
      ['plan', { ...name, endpoint: 'https://hub.example', token: undefined }],
      ['download', undefined],
    ]);
    const [question] = user.offered;
    expect(question?.placeHolder).toBe(
      'Download 270 MB (2 files) of acme/tiny from hub.example? (main at commit abcdef0)',
    );
    expect(question?.items[0]).toMatchObject({
      label: '$(cloud-download) Download 270 MB (2 files)',
      description: 'from hub.example',
      detail: 'into /home/me/.cache/huggingface/hub · 500 B are in the cache already',
    });
    expect(user.progress).toEqual(['135 MB of 270 MB']);
  });

  it('checks the name while it is typed', async () => {
    await downloadModel(makeServices({}).services);
    const check = user.inputOptions?.validateInput;
    expect(check?.('acme/tiny')).toBeUndefined();
    expect(check?.('')).toBeUndefined();
    expect(check?.('../etc')).toContain('owner/name');
  });

  it.each([[1], [undefined]])('downloads nothing when the answer is %j', async (pick) => {
    const { services, steps } = makeServices({});
    if (pick !== undefined) user.picks.push(pick);
    expect(await downloadModel(services, 'acme/tiny')).toBeUndefined();
    expect(steps()).toEqual(['locate', 'plan']);
  });

  it('asks nobody for what the cache holds', async () => {
    const { services, steps } = makeServices({ cached: '/cached' });
    expect(await downloadModel(services, 'acme/tiny')).toBe('/cached');
    expect(steps()).toEqual(['locate']);
    expect(user.offered).toEqual([]);
  });

  it('asks no question when nothing has to be fetched', async () => {
    const { services } = makeServices({ plan: () => ({ ...plan, toDownload: 0 }) });
    expect(await downloadModel(services, 'acme/tiny')).toBe('/snapshot');
    expect(user.offered).toEqual([]);
  });

  it('goes on after a failure when the user wants to, without asking again', async () => {
    let failures = 2;
    const { services, steps } = makeServices({
      download: () => {
        if (failures-- > 0)
          throw new EngineError('hub.unreachable', { endpoint: 'https://hub.example', reason: 'x' });
      },
    });
    user.picks.push(0);
    user.answers.push('Retry', 'Retry');
    expect(await downloadModel(services, 'acme/tiny')).toBe('/snapshot');
    expect(steps()).toEqual(['locate', 'plan', 'download', 'download', 'download']);
    expect(user.offered).toHaveLength(1);
    expect(user.told[0]).toMatch(/^https:\/\/hub\.example cannot be reached: x\..* is resumed\. \| Retry$/);
  });

  it('offers to set a token when access is refused, and uses it', async () => {
    const { services, asked, secrets } = makeServices({
      plan: ({ token }) => {
        if (token === 'hf_mine') return plan;
        throw new EngineError('hub.refused', { repo: 'acme/tiny', reason: 'it is gated' });
      },
    });
    user.answers.push('Set Hub Token…');
    user.input = ' hf_mine ';
    user.picks.push(0);
    expect(await downloadModel(services, 'acme/tiny')).toBe('/snapshot');
    expect(user.told[0]).toContain('it is gated');
    expect(user.inputOptions?.password).toBe(true);
    expect([...secrets]).toEqual([['hubToken https://hub.example', 'hf_mine']]);
    expect(asked.at(-1)).toEqual(['download', 'hf_mine']);
    expect(user.told.join()).not.toContain('hf_mine');
  });

  it('offers the GGUF files of a repository that has no safetensors', async () => {
    const { services, asked } = makeServices({
      plan: ({ what }) => {
        if (what.kind === 'file') return plan;
        const gguf = ['a.gguf', 'b.gguf'];
        throw new EngineError('hub.noSafetensors', { repo: 'acme/tiny', found: 'a.gguf', gguf });
      },
    });
    user.picks.push(1, 0);
    expect(await downloadModel(services, 'acme/tiny')).toBe('/snapshot');
    expect(asked.at(-2)).toMatchObject(['plan', { what: { kind: 'file', path: 'b.gguf' } }]);
    expect(user.told).toEqual([]);
  });

  it('ends silently when it was cancelled, and leaves nothing behind in the view', async () => {
    const { services } = makeServices({
      download: () => {
        throw new EngineError('cancelled', {});
      },
    });
    user.picks.push(0);
    await expect(downloadModel(services, 'acme/tiny')).rejects.toMatchObject({ code: 'cancelled' });
    expect(user.told).toEqual([]);
    expect(services.downloads.current).toEqual([]);
  });
});

describe('Set Hub Token', () => {
  it('keeps one token for each hub, and forgets it when it is emptied', async () => {
    const { services, asked, secrets } = makeServices({});
    user.input = 'hf_one';
    await setHubToken(services);
    user.settings = { 'fovea.hub.endpoint': 'https://mirror.example/' };
    await downloadModel(services, 'acme/tiny');
    expect(asked.at(-1)).toMatchObject(['plan', { endpoint: 'https://mirror.example/', token: undefined }]);
    user.input = 'hf_two';
    await setHubToken(services);
    expect(Object.fromEntries(secrets)).toEqual({
      'hubToken https://hub.example': 'hf_one',
      'hubToken https://mirror.example': 'hf_two',
    });
    user.input = '';
    await setHubToken(services);
    expect([...secrets.keys()]).toEqual(['hubToken https://hub.example']);
    expect(user.inputOptions?.validateInput?.('hf one')).toContain('letters');
  });
});
