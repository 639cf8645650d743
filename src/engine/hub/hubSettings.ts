/** What the environment says about the hub: the same variables and defaults as Python's `huggingface_hub`. */
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { defaultHubEndpoint } from '../../shared/hubName.ts';

/** Where the hub is, where its files are kept, and what may be asked. */
export interface HubSettings {
  /** Folder of the cache (`HF_HUB_CACHE`, else `hub` in `HF_HOME`, else in the user's cache folder). */
  readonly cache: string;
  /** File that `hf auth login` writes. */
  readonly tokenFile: string;
  /** Address of the hub, without a slash at its end. */
  readonly endpoint: string;
  /** The token of the environment. */
  readonly token?: string;
  /** Nothing may be asked of the network (`HF_HUB_OFFLINE`). */
  readonly offline: boolean;
  /** The token of the environment and the file is used without being asked for. */
  readonly implicitToken: boolean;
  /** Snapshots may be made of symbolic links. */
  readonly symlinks: boolean;
}

/** Reads the settings of `env`. */
export function hubSettings(env: NodeJS.ProcessEnv = process.env): HubSettings {
  const home = expand(
    env.HF_HOME || join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'huggingface'),
    env,
  );
  const cache = expand(env.HF_HUB_CACHE || env.HUGGINGFACE_HUB_CACHE || join(home, 'hub'), env);
  return {
    cache,
    tokenFile: expand(env.HF_TOKEN_PATH || join(home, 'token'), env),
    endpoint: (env.HF_ENDPOINT || defaultHubEndpoint).replace(/\/+$/, ''),
    token: cleanToken(env.HF_TOKEN) ?? cleanToken(env.HUGGING_FACE_HUB_TOKEN),
    offline: isTrue(env.HF_HUB_OFFLINE),
    implicitToken: !isTrue(env.HF_HUB_DISABLE_IMPLICIT_TOKEN),
    symlinks: !isTrue(env.HF_HUB_DISABLE_SYMLINKS),
  };
}

/**
 * The token of the environment, or the one `hf auth login` stored. It is meant for the hub that the environment names,
 * so another endpoint does not get it.
 */
export async function ambientToken(settings: HubSettings, endpoint: string): Promise<string | undefined> {
  if (!settings.implicitToken || new URL(endpoint).origin !== new URL(settings.endpoint).origin)
    return undefined;
  if (settings.token !== undefined) return settings.token;
  const stored = await readFile(settings.tokenFile, 'utf8').catch(() => undefined);
  return stored === undefined || stored.length > 10_000 ? undefined : cleanToken(stored);
}

function cleanToken(text: string | undefined): string | undefined {
  return text?.trim() || undefined;
}

function isTrue(text: string | undefined): boolean {
  return /^(1|on|yes|true)$/i.test(text ?? '');
}

/** `~` and `$NAME`, as Python expands them. */
function expand(path: string, env: NodeJS.ProcessEnv): string {
  return path
    .replace(/^~(?=$|[\\/])/, homedir())
    .replace(/\$(?:\{(\w+)\}|(\w+))/g, (whole, braced, bare) => env[braced ?? bare] ?? whole);
}
