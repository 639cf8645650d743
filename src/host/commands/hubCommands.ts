/** Fetching models and SAEs from the hub: what is wanted, a clear question before the first byte, and the download itself. */

import * as vscode from 'vscode';
import { isEngineError } from '../../shared/errors.ts';
import { formatBytes } from '../../shared/format.ts';
import type { DownloadPlan, HubPart } from '../../shared/hubApi.ts';
import { type HubName, readHubName } from '../../shared/hubName.ts';
import { readSetting } from '../contributions.ts';
import { hubEndpoint, hubHost, keepHubToken, readHubToken } from '../hubToken.ts';
import { describeForLog } from '../log.ts';
import { plainTitle } from '../plainTitle.ts';
import type { CommandServices } from '../services.ts';
import { TransferRate } from '../transferRate.ts';
import { wordError } from '../wordError.ts';

/** What is fetched. */
export interface HubWish {
  /** `owner/name`. */
  readonly repo: string;
  readonly revision?: string;
  readonly what: HubPart;
  /** What it is for people. */
  readonly title: string;
}

type HubServices = Pick<CommandServices, 'engine' | 'downloads' | 'context' | 'log'>;

/**
 * Fetches a model, asking which one when none is named (`owner/name`, or `owner/name@revision`). What the cache holds is
 * not asked for again. Answers the path for `openModel`, nothing when the user left or gave up after a failure.
 */
export async function downloadModel(services: HubServices, given?: string): Promise<string | undefined> {
  const name = given === undefined ? await askName() : readName(given);
  if (name === undefined) return undefined;
  const what = { kind: 'model' } as const;
  const { path } = await services.engine.locateCached({ ...name, what });
  return path ?? downloadPart(services, { ...name, what, title: name.repo });
}

/** Asks before the first byte, then fetches. Answers the path, nothing when the user left or gave up after a failure. */
export async function downloadPart(services: HubServices, wish: HubWish): Promise<string | undefined> {
  const plan = await retrying(services, () => makePlan(services, wish));
  if (plan === undefined) return undefined;
  if ('gguf' in plan) return downloadGguf(services, wish, plan.gguf);
  if (plan.toDownload > 0 && !(await confirmDownload(plan))) return undefined;
  return retrying(services, () => carryOut(services, plan, wish.title));
}

/** Asks for a token and keeps it for the hub in use. True when there is another one now. */
export async function setHubToken({ context }: Pick<HubServices, 'context'>): Promise<boolean> {
  const endpoint = hubEndpoint(readSetting('hubEndpoint'));
  const host = hubHost(endpoint);
  const token = await vscode.window.showInputBox({
    title: vscode.l10n.t('Set Hub Token'),
    prompt: vscode.l10n.t(
      'An access token of {0}. It is kept in the editor’s secret storage and sent to this host only. Leave it empty to forget the token there is.',
      host,
    ),
    placeHolder: 'hf_…',
    password: true,
    ignoreFocusOut: true,
    validateInput: (text) =>
      /^[\x21-\x7e]*$/.test(text.trim())
        ? undefined
        : vscode.l10n.t('A token has only letters, digits and signs.'),
  });
  if (token === undefined) return false;
  await keepHubToken(context.secrets, endpoint, token);
  const isForgotten = token.trim() === '';
  void vscode.window.showInformationMessage(
    isForgotten
      ? vscode.l10n.t('The token for {0} is forgotten.', host)
      : vscode.l10n.t('The token for {0} is kept.', host),
  );
  return true;
}

async function askName(): Promise<HubName | undefined> {
  const answer = await vscode.window.showInputBox({
    title: vscode.l10n.t('Download Model'),
    prompt: vscode.l10n.t('A repository of {0}, such as HuggingFaceTB/SmolLM2-135M', endpointHost()),
    placeHolder: vscode.l10n.t('owner/name or owner/name@revision'),
    ignoreFocusOut: true,
    validateInput: (text) =>
      text.trim() === '' || readHubName(text)
        ? undefined
        : vscode.l10n.t('Type owner/name or owner/name@revision.'),
  });
  return answer === undefined ? undefined : readHubName(answer);
}

function readName(given: string): HubName {
  // The engine refuses what is no name, and says how one looks.
  return readHubName(given) ?? { repo: given };
}

/** The plan, or the GGUF files of a repository that has those instead. */
async function makePlan(
  { engine, context }: HubServices,
  { repo, revision, what }: HubWish,
): Promise<DownloadPlan | { readonly gguf: readonly string[] }> {
  const endpoint = hubEndpoint(readSetting('hubEndpoint'));
  const token = await readHubToken(context.secrets, endpoint);
  const title = vscode.l10n.t('Asking {0} about {1}…', hubHost(endpoint), plainTitle(repo));
  try {
    return await withProgress(title, (signal) =>
      engine.planDownload({ repo, revision, what, endpoint, token }, { signal }),
    );
  } catch (error) {
    if (isEngineError(error, 'hub.noSafetensors') && error.data.gguf.length > 0)
      return { gguf: error.data.gguf };
    throw error;
  }
}

async function downloadGguf(
  services: HubServices,
  wish: HubWish,
  files: readonly string[],
): Promise<string | undefined> {
  const chosen = await vscode.window.showQuickPick(
    files.map((path) => ({ label: plainTitle(path), path })),
    {
      title: vscode.l10n.t('Download {0}', wish.repo),
      placeHolder: vscode.l10n.t('It holds GGUF files. Which one?'),
      ignoreFocusOut: true,
    },
  );
  if (!chosen) return undefined;
  const what = { kind: 'file', path: chosen.path } as const;
  const { path } = await services.engine.locateCached({ repo: wish.repo, revision: wish.revision, what });
  return path ?? downloadPart(services, { ...wish, what, title: `${wish.repo}/${chosen.path}` });
}

/** The question before the first byte: what, how much, from where, to where. */
async function confirmDownload(plan: DownloadPlan): Promise<boolean> {
  const { repo, revision, endpoint, toDownload, bytes, cache, commit } = plan;
  const missing = plan.files.filter(({ cached }) => !cached).length;
  const count = missing === 1 ? vscode.l10n.t('1 file') : vscode.l10n.t('{0} files', missing);
  const size = formatBytes(toDownload);
  const rest =
    toDownload < bytes ? vscode.l10n.t('{0} are in the cache already', formatBytes(bytes - toDownload)) : '';
  const into = vscode.l10n.t('into {0}', cache);
  const yes = {
    label: `$(cloud-download) ${vscode.l10n.t('Download {0} ({1})', size, count)}`,
    description: vscode.l10n.t('from {0}', hubHost(endpoint)),
    detail: [into, rest].filter((text) => text !== '').join(' · '),
  };
  const no = { label: `$(close) ${vscode.l10n.t('Do Not Download')}` };
  const chosen = await vscode.window.showQuickPick([yes, no], {
    title: vscode.l10n.t('Download {0}?', repo),
    placeHolder: vscode.l10n.t(
      'Download {0} ({1}) of {2} from {3}? ({4} at commit {5})',
      size,
      count,
      repo,
      hubHost(endpoint),
      revision,
      commit.slice(0, 7),
    ),
    ignoreFocusOut: true,
  });
  return chosen === yes;
}

async function carryOut(services: HubServices, plan: DownloadPlan, title: string): Promise<string> {
  const { engine, downloads, context } = services;
  const token = await readHubToken(context.secrets, plan.endpoint);
  const rate = new TransferRate();
  const heading = vscode.l10n.t('Downloading {0}', plainTitle(title));
  let shown = 0;
  const { path } = await withProgress(heading, (signal, progress) =>
    downloads.run(
      title,
      ({ report, ...options }) =>
        engine.download(
          { plan, token },
          {
            ...options,
            report: (state) => {
              report?.(state);
              const { done, total } = state;
              const share = total > 0 ? (100 * done) / total : 0;
              progress.report({ increment: share - shown, message: describeRate(done, total, rate) });
              shown = share;
            },
          },
        ),
      signal,
    ),
  );
  return path;
}

function describeRate(done: number, total: number, rate: TransferRate): string {
  const speed = rate.add(done, Date.now());
  const amount = vscode.l10n.t('{0} of {1}', formatBytes(done), formatBytes(total));
  return speed > 0 ? vscode.l10n.t('{0} · {1}/s', amount, formatBytes(speed)) : amount;
}

/**
 * Runs `work` again as long as it fails and the user wants to; a repeated download goes on where it stopped. Answers
 * nothing when the user gives up. Cancelling passes through.
 */
async function retrying<T>(services: HubServices, work: () => Promise<T>): Promise<T | undefined> {
  const retry = vscode.l10n.t('Retry');
  const setToken = vscode.l10n.t('Set Hub Token…');
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!isEngineError(error) || error.code === 'cancelled' || error.code === 'request.invalid')
        throw error;
      services.log.error(describeForLog(error));
      const needsToken = error.code === 'hub.refused' || error.code === 'hub.notFound';
      const actions = needsToken ? [setToken, retry] : [retry];
      const chosen = await vscode.window.showErrorMessage(wordError(error), ...actions);
      if (chosen === undefined) return undefined;
      if (chosen === setToken && !(await setHubToken(services))) return undefined;
    }
  }
}

/** Runs `work` under a notification that can cancel it. */
function withProgress<T>(
  title: string,
  work: (
    signal: AbortSignal,
    progress: vscode.Progress<{ readonly increment?: number; readonly message?: string }>,
  ) => Promise<T>,
): Thenable<T> {
  const location = vscode.ProgressLocation.Notification;
  return vscode.window.withProgress({ location, title, cancellable: true }, (progress, cancellation) => {
    const controller = new AbortController();
    cancellation.onCancellationRequested(() => controller.abort());
    return work(controller.signal, progress);
  });
}

function endpointHost(): string {
  return hubHost(hubEndpoint(readSetting('hubEndpoint')));
}
