/** The address of the hub and the user's token for it, which lies in the editor's secret storage and nowhere else. */

import { defaultHubEndpoint } from '../shared/hubName.ts';

/** As much of VS Code's secret storage as is needed. */
export interface Secrets {
  get(key: string): PromiseLike<string | undefined>;
  store(key: string, value: string): PromiseLike<void>;
  delete(key: string): PromiseLike<void>;
}

/** The hub's address: the setting, else HF_ENDPOINT, else huggingface.co. */
export function hubEndpoint(setting: string, env: NodeJS.ProcessEnv = process.env): string {
  return setting.trim() || env.HF_ENDPOINT || defaultHubEndpoint;
}

/** The address as people know it: without `https://`. */
export function hubHost(endpoint: string): string {
  return URL.canParse(endpoint) ? new URL(endpoint).host : endpoint;
}

/** The token that was set for this endpoint; another endpoint does not get it. */
export async function readHubToken(secrets: Secrets, endpoint: string): Promise<string | undefined> {
  return (await secrets.get(keyFor(endpoint))) || undefined;
}

/** Keeps a token for this endpoint; the empty text forgets the one there was. */
export async function keepHubToken(secrets: Secrets, endpoint: string, token: string): Promise<void> {
  if (token.trim() === '') await secrets.delete(keyFor(endpoint));
  else await secrets.store(keyFor(endpoint), token.trim());
}

function keyFor(endpoint: string): string {
  return `hubToken ${URL.canParse(endpoint) ? new URL(endpoint).origin : endpoint}`;
}
