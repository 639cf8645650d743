/** Labels from an API that answers in its own order, refuses, or is not there. */
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { fetchLabels } from '../../../../src/engine/labels/fetchLabels.ts';
import { LabelStore } from '../../../../src/engine/labels/labelStore.ts';
import { Labels } from '../../../../src/engine/labels/labels.ts';
import { temporaryFolder } from '../../temporaryFolder.ts';

const source = 'gpt2-small/8-res-jb';

interface Asked {
  readonly modelId: string;
  readonly layer: string;
  readonly index: number;
}

/** A server on this machine; the address it listens at. */
async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function bodyOf(request: IncomingMessage): Promise<readonly Asked[]> {
  let text = '';
  for await (const piece of request) text += piece;
  return JSON.parse(text) as Asked[];
}

/** Answers as the API does: features in the order of their index, whatever the order of the question. */
function answer(asked: readonly Asked[]): string {
  const features = [...asked].sort((a, b) => a.index - b.index);
  return JSON.stringify(
    features.map(({ modelId, layer, index }) => ({
      modelId,
      layer,
      index: String(index),
      explanations: [{ description: ` label ${index} `, explanationModelName: 'gpt-4o-mini' }],
      activations: [],
    })),
  );
}

test('asks in batches with the key, and gives every label to the feature it names', async () => {
  const batches: (readonly Asked[])[] = [];
  const keys: unknown[] = [];
  const endpoint = await serve(async (request, response) => {
    expect(request.url).toBe('/api/features');
    keys.push(request.headers['x-api-key']);
    const asked = await bodyOf(request);
    batches.push(asked);
    response.end(answer(asked));
  });
  const indices = Array.from({ length: 60 }, (_, i) => (i * 37) % 60);
  const rows = await fetchLabels({ source, indices, endpoint, key: 'secret', pause: 0 });
  expect(batches.map((batch) => batch.length)).toEqual([25, 25, 10]);
  expect(batches[0]![1]).toEqual({ modelId: 'gpt2-small', layer: '8-res-jb', index: 37, maxActsToReturn: 0 });
  expect(new Set(keys)).toEqual(new Set(['secret']));
  expect(rows).toHaveLength(60);
  expect(rows.find(({ index }) => index === 41)).toEqual({
    source,
    index: 41,
    text: 'label 41',
    origin: 'Neuronpedia · gpt-4o-mini',
  });
});

test('rows about features that nobody asked for are left out', async () => {
  const endpoint = await serve((_, response) => {
    const about = (modelId: string, index: number) => ({
      modelId,
      layer: '8-res-jb',
      index,
      explanations: [{ description: 'x' }, { description: null }, {}],
    });
    response.end(
      JSON.stringify([about('gpt2-small', 1), about('gpt2-small', 2), about('gemma', 1), 7, null]),
    );
  });
  const rows = await fetchLabels({ source, indices: [1], endpoint, pause: 0 });
  expect(rows).toEqual([{ source, index: 1, text: 'x', origin: 'Neuronpedia' }]);
});

test.each([
  [404, {}, /it knows no such features/],
  [429, { 'retry-after': '30' }, /asks to wait 30 s/],
  [500, {}, /status 500/],
])('status %i is told', async (status, headers, message) => {
  const endpoint = await serve((_, response) => response.writeHead(status, headers).end('no'));
  const work = fetchLabels({ source, indices: [1], endpoint, pause: 0 });
  await expect(work).rejects.toMatchObject({ code: 'labels.unavailable' });
  await expect(work).rejects.toThrow(message);
});

test('an answer that is no list, and an address where nobody listens, are told', async () => {
  const endpoint = await serve((_, response) => response.end('<html>'));
  await expect(fetchLabels({ source, indices: [1], endpoint, pause: 0 })).rejects.toThrow(/not a list/);
  const nobody = 'http://127.0.0.1:1';
  await expect(fetchLabels({ source, indices: [1], endpoint: nobody, pause: 0 })).rejects.toMatchObject({
    code: 'labels.unavailable',
  });
});

test('the key does not follow a redirect to another address', async () => {
  let reached = 0;
  const other = await serve((_, response) => {
    reached++;
    response.end('[]');
  });
  const endpoint = await serve((_, response) =>
    response.writeHead(307, { location: `${other}/api/features` }).end(),
  );
  const work = fetchLabels({ source, indices: [1], endpoint, key: 'secret', pause: 0 });
  await expect(work).rejects.toMatchObject({ code: 'labels.unavailable' });
  expect(reached).toBe(0);
});

test('a source that Neuronpedia cannot have is refused before anything is asked', async () => {
  const work = fetchLabels({
    source: 'blocks.1.hook_resid_post@abc',
    indices: [1],
    endpoint: 'http://127.0.0.1:1',
  });
  await expect(work).rejects.toMatchObject({ code: 'request.invalid' });
});

test('cancelling stops between requests and during one', async () => {
  const stop = new AbortController();
  let requests = 0;
  const endpoint = await serve(async (request, response) => {
    requests++;
    const asked = await bodyOf(request);
    if (requests === 2) return stop.abort();
    response.end(answer(asked));
  });
  const indices = Array.from({ length: 100 }, (_, i) => i);
  const work = fetchLabels({ source, indices, endpoint, pause: 0 }, { signal: stop.signal });
  await expect(work).rejects.toMatchObject({ code: 'cancelled' });
  expect(requests).toBe(2);
});

test('batches that came before a refusal are kept', async () => {
  let requests = 0;
  const endpoint = await serve(async (request, response) => {
    const asked = await bodyOf(request);
    if (++requests > 2) response.writeHead(429, { 'retry-after': '60' }).end();
    else response.end(answer(asked));
  });
  const store = new LabelStore(await temporaryFolder());
  const labels = new Labels(store, () => undefined);
  const indices = Array.from({ length: 60 }, (_, i) => i);
  const call = labels.fetchLabels({ source, indices, endpoint, pause: 0 } as never);
  await expect(call).rejects.toMatchObject({ code: 'labels.unavailable' });
  await store.load(source);
  expect(store.labelOf(source, 49)?.text).toBe('label 49');
  expect(store.labelOf(source, 50)).toBeUndefined();
});
