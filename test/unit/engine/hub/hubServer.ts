/**
 * A hub on this machine that speaks the API as huggingface.co does: revisions, trees in pages, paths-info, resolve with
 * X-Repo-Commit, ETag and X-Linked headers, large files behind a redirect to another host, and refusals with X-Error-Code.
 */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One request as it arrived. */
export interface SeenRequest {
  readonly host: 'hub' | 'content';
  readonly method: string;
  readonly url: string;
  readonly authorization?: string;
  readonly range?: string;
}

/** What goes wrong; every entry may be set while the server runs. */
export interface Trouble {
  /** Closes the connection after so many bytes of a file, once for each number given. */
  cut: Map<string, number[]>;
  /** Sends other bytes than the tree promises. */
  spoiled: Set<string>;
  /** Sends so many bytes of a file and then nothing more. */
  stalled: Map<string, number>;
  /** Answers a request for a range with the whole file. */
  ignoresRange: boolean;
  /** Answers so many requests for content with status 503 first. */
  busy: number;
}

/** A repository: its files, and who may see it. */
export interface ServedRepo {
  readonly files: Readonly<Record<string, Uint8Array>>;
  readonly commit: string;
  readonly branches?: readonly string[];
  readonly access?: 'open' | 'private' | 'gated';
}

export interface HubServer {
  readonly endpoint: string;
  readonly content: string;
  readonly seen: SeenRequest[];
  readonly repos: Map<string, ServedRepo>;
  /** Old name → new name; the hub redirects. */
  readonly renamed: Map<string, string>;
  readonly trouble: Trouble;
  /** Replaces what the tree lists, for hubs that lie. */
  tree: (entries: readonly object[]) => unknown;
  /** Address that links to the next page begin with, as of a mirror that passes on the hub's own. */
  linkBase: string | undefined;
  close(): Promise<void>;
}

/** Tokens that the server accepts: one that may see gated repositories, one that may not. */
export const tokens = { granted: 'hf_granted', other: 'hf_other' } as const;

/** Files from this size on are kept as large files, with SHA-256 and behind a redirect. */
export const largeFrom = 1000;

const pageSize = 4;

/** Starts a hub with one repository. */
export async function startHubServer(name: string, repo: ServedRepo): Promise<HubServer> {
  const seen: SeenRequest[] = [];
  const trouble: Trouble = {
    cut: new Map(),
    spoiled: new Set(),
    stalled: new Map(),
    ignoresRange: false,
    busy: 0,
  };
  const repos = new Map([[name, repo]]);
  const renamed = new Map<string, string>();
  const content = await listen((request, response) => {
    seen.push(noted('content', request));
    const [, owner = '', model = '', ...rest] = new URL(request.url ?? '/', 'http://x').pathname
      .split('/')
      .map(decodeURIComponent);
    const path = rest.join('/');
    sendContent(server, path, repos.get(`${owner}/${model}`)?.files[path], request, response);
  });
  const hub = await listen((request, response) => {
    seen.push(noted('hub', request));
    answer(server, request, response);
  });
  const server: HubServer = {
    endpoint: addressOf(hub),
    content: addressOf(content),
    seen,
    repos,
    renamed,
    trouble,
    tree: (entries) => entries,
    linkBase: undefined,
    close: async () => {
      for (const it of [hub, content]) {
        it.closeAllConnections();
        await new Promise((resolve) => it.close(resolve));
      }
    },
  };
  return server;
}

/** Name of a file's blob: SHA-256 of a large one, git's hash of a small one. */
export function blobOf(bytes: Uint8Array): string {
  if (bytes.length >= largeFrom) return createHash('sha256').update(bytes).digest('hex');
  return createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
}

function answer(server: HubServer, request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url ?? '/', server.endpoint);
  const api =
    /^\/api\/models\/(?<name>(?!tree\/|revision\/)[^/]+(?:\/(?!tree\/|revision\/|paths-info\/)[^/]+)?)(?:\/(?<verb>tree|revision|paths-info)\/(?<revision>[^/]+)(?<path>\/.*)?)?$/.exec(
      url.pathname,
    );
  const resolve = /^\/(?<name>[^/]+\/[^/]+|[^/]+)\/resolve\/(?<revision>[^/]+)\/(?<path>.+)$/.exec(
    url.pathname,
  );
  const parts = (api ?? resolve)?.groups;
  if (!parts) return void refuse(response, 404, undefined, 'not here');
  const { name = '', revision = 'main', verb, path = '' } = parts;
  const target = server.renamed.get(name);
  if (target !== undefined) {
    response.writeHead(307, { location: request.url?.replace(name, target) ?? '' }).end();
    return;
  }
  const repo = server.repos.get(name);
  const refusal = refusalOf(repo, request.headers.authorization, api === null);
  if (!repo || refusal) return void refuse(response, ...(refusal ?? notThere(request)));
  const known = [repo.commit, 'main', 'HEAD', ...(repo.branches ?? [])];
  if (!known.includes(decodeURIComponent(revision))) {
    return void refuse(response, 404, 'RevisionNotFound', `Invalid rev id: ${revision}`);
  }
  if (resolve) sendFile(server, name, repo, decodeURIComponent(path), request, response);
  else if (verb === 'tree') sendTree(server, url, repo, decodeURIComponent(path.slice(1)), response);
  else if (verb === 'paths-info') sendPaths(repo, request, response);
  else sendJson(response, { _id: '1', id: name, sha: repo.commit, private: false, gated: false, likes: 0 });
}

function refusalOf(
  repo: ServedRepo | undefined,
  authorization: string | undefined,
  isContent: boolean,
): [number, string | undefined, string] | undefined {
  const token = authorization?.replace('Bearer ', '');
  if (token && !Object.values<string>(tokens).includes(token)) {
    return [401, undefined, 'Invalid credentials in Authorization header'];
  }
  if (repo?.access === 'private' && token !== tokens.granted) return notFoundFor(token);
  // A gated repository shows its list of files to everybody, and its content to those who accepted its terms.
  if (repo?.access !== 'gated' || !isContent || token === tokens.granted) return undefined;
  const words = 'Access to model is restricted. You must be authenticated to access it.';
  return [token ? 403 : 401, 'GatedRepo', words];
}

function notThere(request: IncomingMessage): [number, string | undefined, string] {
  return notFoundFor(request.headers.authorization);
}

/** The hub does not tell strangers which repositories exist. */
function notFoundFor(token: string | undefined): [number, string | undefined, string] {
  return token
    ? [404, 'RepoNotFound', 'Repository not found']
    : [401, 'RepoNotFound', 'Invalid username or password.'];
}

function refuse(response: ServerResponse, status: number, code: string | undefined, words: string): void {
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    ...(code && { 'x-error-code': code }),
    'x-error-message': words,
  });
  response.end(JSON.stringify({ error: words }));
}

function sendTree(
  server: HubServer,
  url: URL,
  repo: ServedRepo,
  folder: string,
  response: ServerResponse,
): void {
  const recursive = /^true$/i.test(url.searchParams.get('recursive') ?? '');
  const prefix = folder === '' ? '' : `${folder}/`;
  const below = Object.keys(repo.files).filter((path) => path.startsWith(prefix));
  if (below.length === 0) {
    refuse(response, 404, 'EntryNotFound', `${folder} does not exist on "main"`);
    return;
  }
  const entries = new Map<string, object>();
  for (const path of below) {
    const rest = path.slice(prefix.length).split('/');
    for (let depth = 1; depth < rest.length; depth++) {
      const inner = prefix + rest.slice(0, depth).join('/');
      if (depth === 1 || recursive)
        entries.set(inner, { type: 'directory', oid: 'd'.repeat(40), size: 0, path: inner });
    }
    if (rest.length === 1 || recursive) entries.set(path, entryOf(repo, path));
  }
  const listed = [...entries.values()];
  const start = Number(url.searchParams.get('cursor') ?? 0);
  const end = start + pageSize;
  if (end < listed.length) {
    url.searchParams.set('cursor', String(end));
    const base = server.linkBase ?? server.endpoint;
    response.setHeader('link', `<${base}${url.pathname}${url.search}>; rel="next"`);
  }
  sendJson(response, server.tree(listed.slice(start, end)));
}

function sendPaths(repo: ServedRepo, request: IncomingMessage, response: ServerResponse): void {
  let body = '';
  request.setEncoding('utf8').on('data', (piece: string) => {
    body += piece;
  });
  request.on('end', () => {
    const { paths } = JSON.parse(body) as { readonly paths: readonly string[] };
    sendJson(
      response,
      paths.filter((path) => repo.files[path]).map((path) => entryOf(repo, path)),
    );
  });
}

function entryOf(repo: ServedRepo, path: string): object {
  const bytes = repo.files[path] as Uint8Array;
  const oid = blobOf(bytes);
  if (bytes.length < largeFrom) return { type: 'file', oid, size: bytes.length, path };
  const lfs = { oid, size: bytes.length, pointerSize: 134 };
  return { type: 'file', oid: 'a'.repeat(40), size: bytes.length, path, lfs };
}

function sendFile(
  server: HubServer,
  name: string,
  repo: ServedRepo,
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const bytes = repo.files[path];
  if (!bytes) return void refuse(response, 404, 'EntryNotFound', 'Entry not found');
  response.setHeader('x-repo-commit', repo.commit);
  const etag = `"${blobOf(bytes)}"`;
  if (bytes.length < largeFrom) {
    response.setHeader('etag', etag);
    sendContent(server, path, bytes, request, response);
    return;
  }
  response.writeHead(302, {
    location: `${server.content}/${name}/${path.split('/').map(encodeURIComponent).join('/')}?signature=x`,
    'x-linked-etag': etag,
    'x-linked-size': String(bytes.length),
    etag: `"${'a'.repeat(40)}"`,
  });
  response.end();
}

function sendContent(
  { trouble }: HubServer,
  path: string,
  promised: Uint8Array | undefined,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  if (!promised) return void response.writeHead(404).end();
  if (trouble.busy > 0) {
    trouble.busy--;
    response.writeHead(503).end();
    return;
  }
  const bytes = trouble.spoiled.has(path) ? promised.map((byte) => byte ^ 1) : promised;
  const asked = trouble.ignoresRange ? undefined : /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
  const start = Number(asked?.[1] ?? 0);
  const part = bytes.subarray(start, asked?.[2] ? Number(asked[2]) + 1 : undefined);
  response.writeHead(asked ? 206 : 200, {
    'content-length': part.length,
    'accept-ranges': 'bytes',
    ...(asked && { 'content-range': `bytes ${start}-${start + part.length - 1}/${bytes.length}` }),
  });
  if (request.method === 'HEAD') return void response.end();
  const stop = trouble.stalled.get(path);
  if (stop !== undefined) return void response.write(part.subarray(0, stop));
  const cut = trouble.cut.get(path)?.shift();
  if (cut === undefined) return void response.end(part);
  response.write(part.subarray(0, cut), () => setTimeout(() => response.destroy(), 20));
}

function sendJson(response: ServerResponse, value: unknown): void {
  response.setHeader('content-type', 'application/json; charset=utf-8');
  response.end(typeof value === 'string' ? value : JSON.stringify(value));
}

function noted(host: SeenRequest['host'], { method = '', url = '', headers }: IncomingMessage): SeenRequest {
  return { host, method, url, authorization: headers.authorization, range: headers.range };
}

/** The two hosts have different ports, so they are different origins. */
async function listen(handle: (request: IncomingMessage, response: ServerResponse) => void): Promise<Server> {
  const server = createServer(handle);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

function addressOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
