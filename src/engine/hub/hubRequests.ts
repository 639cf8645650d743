/**
 * The one way to the network: sends requests to a hub, follows redirects without giving the token to another host,
 * and puts the hub's refusals into coded errors.
 */
import { EngineError, throwIfCancelled } from '../../shared/errors.ts';
import { shorten } from '../files/fileErrors.ts';

/** What a series of requests about one repository needs. */
export interface HubContext {
  readonly repo: string;
  /** Checked by `checkEndpoint`. */
  readonly endpoint: string;
  readonly token?: string;
  readonly fetch: typeof fetch;
  readonly signal?: AbortSignal;
  /** Milliseconds without an answer or a byte after which a connection counts as lost. */
  readonly patience: number;
}

/** What is asked for, for the message when it is not there. */
export type Asked = 'repository' | `revision "${string}"` | `file ${string}` | `folder ${string}`;

const maxRedirects = 6;

/** An answer of the API is JSON of at most this size. */
const maxAnswerBytes = 64 * 2 ** 20;
const maxAnswers = 500;

/** The address without slashes at its end. @throws request.invalid when it is no http(s) address, or has a user or query in it. */
export function checkEndpoint(endpoint: string): string {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  const isPlain = url && /^https?:$/.test(url.protocol) && !url.username && !url.search && !url.hash;
  if (isPlain) return url.href.replace(/\/+$/, '');
  const reason = 'an address such as https://huggingface.co is expected';
  throw new EngineError('request.invalid', { what: `The hub's address "${shorten(endpoint)}"`, reason });
}

/**
 * Sends one request and follows its redirects; the answer is a success.
 * @throws hub.notFound, hub.refused, hub.unreachable, hub.malformed, cancelled.
 */
export async function send(
  context: HubContext,
  address: string | URL,
  asked: Asked,
  init: RequestInit = {},
): Promise<Response> {
  let url = new URL(address);
  for (let hop = 0; hop <= maxRedirects; hop++) {
    const answer = await sendOnce(context, url, init);
    const next = answer.status >= 300 && answer.status < 400 ? answer.headers.get('location') : null;
    if (next === null) {
      if (answer.ok) return answer;
      throw await refusal(context, answer, asked);
    }
    await answer.body?.cancel();
    if (!URL.canParse(next, url)) throw strange(context, `it redirects to "${shorten(next)}"`);
    url = new URL(next, url);
    if (!/^https?:$/.test(url.protocol)) throw strange(context, `it redirects to "${shorten(url.href)}"`);
  }
  throw strange(context, 'it redirects without end');
}

/**
 * `fetch` for the hub's library: every request goes to the endpoint itself, also when a mirror passes on the hub's own
 * links to the next page; answers are bounded in size and number.
 */
export function apiFetch(context: HubContext, asked: Asked): typeof fetch {
  let answers = 0;
  return async (input, init) => {
    if (++answers > maxAnswers) throw strange(context, 'its list of files has no end');
    const named = new URL(input instanceof Request ? input.url : input);
    const isOwn = named.href.startsWith(`${context.endpoint}/`);
    const url = isOwn ? named : `${context.endpoint}${named.pathname}${named.search}`;
    const timeout = AbortSignal.timeout(context.patience);
    const answer = await send(context, url, asked, { ...init, signal: timeout });
    return new Response(bounded(context, answer.body), { status: answer.status, headers: answer.headers });
  };
}

/** Runs `work`, which asks the hub's library; what the library throws about malformed answers gets a code. */
export async function asApiErrors<T>(context: HubContext, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throwIfCancelled(context.signal);
    if (error instanceof EngineError) throw error;
    if (error instanceof SyntaxError || error instanceof TypeError) throw strange(context, 'it is no JSON');
    throw unreachable(context, error);
  }
}

/** `hub.malformed` for what the endpoint answered. */
export function strange({ endpoint }: Pick<HubContext, 'endpoint'>, reason: string): EngineError {
  return new EngineError('hub.malformed', { endpoint, reason });
}

/** `hub.unreachable` with the network's reason in words. */
export function unreachable({ endpoint }: Pick<HubContext, 'endpoint'>, error: unknown): EngineError {
  return new EngineError('hub.unreachable', { endpoint, reason: networkReason(error) });
}

async function sendOnce(context: HubContext, url: URL, init: RequestInit): Promise<Response> {
  throwIfCancelled(context.signal);
  const headers = new Headers(init.headers);
  headers.set('user-agent', 'fovea');
  headers.delete('authorization');
  const isHub = url.origin === new URL(context.endpoint).origin;
  if (isHub && context.token) headers.set('authorization', `Bearer ${context.token}`);
  const signals = [context.signal, init.signal].filter((it) => it instanceof AbortSignal);
  try {
    return await context.fetch(url, {
      ...init,
      headers,
      redirect: 'manual',
      signal: AbortSignal.any(signals),
    });
  } catch (error) {
    throwIfCancelled(context.signal);
    throw unreachable(context, error);
  }
}

/** The body, cut off with an error when it is too large. */
function bounded(context: HubContext, body: ReadableStream<Uint8Array> | null): ReadableStream | null {
  let bytes = 0;
  const limit = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      bytes += chunk.length;
      if (bytes > maxAnswerBytes) controller.error(strange(context, 'the answer is too large'));
      else controller.enqueue(chunk);
    },
  });
  return body?.pipeThrough(limit) ?? null;
}

/** The hub tells in headers what it means: X-Error-Code and X-Error-Message. */
async function refusal(context: HubContext, answer: Response, asked: Asked): Promise<EngineError> {
  const { repo } = context;
  const code = answer.headers.get('x-error-code');
  const words = shorten(answer.headers.get('x-error-message') ?? '', 300);
  await answer.body?.cancel();
  if (code === 'GatedRepo') return refused(repo, words || 'access to it has to be granted');
  if (code === 'RevisionNotFound' || code === 'EntryNotFound') return notFound(repo, asked);
  if (answer.status === 401 && /invalid (credentials|username)/i.test(words) && context.token) {
    return refused(repo, 'the token is not valid');
  }
  // Without a token the hub answers 401 for repositories that do not exist as for those that are private.
  if (code === 'RepoNotFound' || (answer.status === 401 && !context.token))
    return notFound(repo, 'repository');
  if (answer.status === 401 || answer.status === 403 || answer.status === 451) {
    return refused(repo, words || `it answered with status ${answer.status}`);
  }
  if (answer.status === 404) return notFound(repo, asked);
  const later = answer.headers.get('retry-after');
  const wait = later && /^\d{1,6}$/.test(later) ? `; it asks to wait ${later} s` : '';
  const reason =
    answer.status === 429 ? `it had too many requests${wait}` : `it answered with status ${answer.status}`;
  return new EngineError('hub.unreachable', { endpoint: context.endpoint, reason });
}

function notFound(repo: string, what: Asked): EngineError {
  return new EngineError('hub.notFound', { repo, what });
}

function refused(repo: string, reason: string): EngineError {
  return new EngineError('hub.refused', { repo, reason: reason.replace(/\.$/, '') });
}

const networkReasons: Readonly<Record<string, string>> = {
  ENOTFOUND: 'its name is not known',
  EAI_AGAIN: 'its name could not be looked up',
  ECONNREFUSED: 'nothing answers at this address',
  ECONNRESET: 'the connection was cut',
  UND_ERR_SOCKET: 'the connection was cut',
  EPIPE: 'the connection was cut',
  ETIMEDOUT: 'it did not answer in time',
  UND_ERR_CONNECT_TIMEOUT: 'it did not answer in time',
  UND_ERR_HEADERS_TIMEOUT: 'it did not answer in time',
  UND_ERR_BODY_TIMEOUT: 'it did not answer in time',
  ENETUNREACH: 'there is no network',
  EHOSTUNREACH: 'there is no way to it',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is not trusted (a proxy may need NODE_EXTRA_CA_CERTS)',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its certificate is not trusted (a proxy may need NODE_EXTRA_CA_CERTS)',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is not trusted',
  CERT_HAS_EXPIRED: 'its certificate has expired',
};

function networkReason(error: unknown): string {
  if (error instanceof Error && error.name === 'TimeoutError') return 'it did not answer in time';
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const code = (cause as NodeJS.ErrnoException | undefined)?.code ?? '';
  return networkReasons[code] ?? shorten(cause instanceof Error ? cause.message : String(cause), 200);
}
