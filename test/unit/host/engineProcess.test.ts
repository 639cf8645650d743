/** A real child process: what the channel carries, and what happens when the process is killed. */

// One life of the engine process, with a stand-in for the engine.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { EngineClient } from '../../../src/host/engineClient.ts';
import { EngineProcess } from '../../../src/host/engineProcess.ts';
import { silentLog } from '../../../src/host/log.ts';

const folder = mkdtempSync(join(tmpdir(), 'fovea-engine-process-'));
const entry = join(folder, 'engine.cjs');
const model = '/models/mini';
const question = {
  model,
  text: 'When Mary and John',
  saes: [],
  topFeatures: 4,
  topPredictions: 3,
  edits: [],
};

beforeAll(async () => {
  await build({
    entryPoints: ['test/fixtures/fakeEngineMain.ts'],
    bundle: true,
    platform: 'node',
    format: 'cjs',
    outfile: entry,
    logLevel: 'error',
  });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('EngineProcess', () => {
  it('carries typed arrays and progress over the channel', async () => {
    const engine = new EngineProcess({ entry, threads: 0, log: silentLog });
    try {
      const { id } = await engine.api.openModel({ path: model });
      const [sae] = await engine.api.listSaes({ model: id, folders: [] });
      const analysis = await engine.api.analyze({ ...question, saes: [sae?.id ?? ''] });
      expect(analysis.probabilities).toBeInstanceOf(Float32Array);
      expect(analysis.features[0]?.indices).toBeInstanceOf(Int32Array);
      expect(analysis.probabilities[0]).toBeNaN();
      const seen: number[] = [];
      const contrast = { answer: ' Mary', wrong: ' John' };
      await engine.api.findCircuit(
        { model: id, text: question.text, contrast, saes: [], maxNodes: 10 },
        { report: ({ done }) => seen.push(done) },
      );
      expect(seen).toEqual([0, 1, 2, 3]);
    } finally {
      engine.dispose();
    }
  });

  it('carries lone surrogates unharmed', async () => {
    const engine = new EngineProcess({ entry, threads: 0, log: silentLog });
    try {
      await engine.api.openModel({ path: model });
      const { strip } = await engine.api.analyze({ ...question, text: 'a \ud83d b' });
      expect(strip.tokens[1]?.text).toBe(' \ud83d');
    } finally {
      engine.dispose();
    }
  });

  it('carries coded errors', async () => {
    const engine = new EngineProcess({ entry, threads: 0, log: silentLog });
    try {
      await expect(engine.api.openModel({ path: '/missing' })).rejects.toMatchObject({
        code: 'file.missing',
        data: { path: '/missing' },
      });
    } finally {
      engine.dispose();
    }
  });

  it('fails every pending call clearly when it is killed, and the next call runs in a new process', async () => {
    const client = new EngineClient({
      start: () => new EngineProcess({ entry, threads: 0, log: silentLog }),
      log: silentLog,
    });
    try {
      await client.api.openModel({ path: model });
      const { pid } = await client.api.ping({});
      const contrast = { answer: ' Mary', wrong: ' John' };
      const circuit = { model, text: question.text, contrast, saes: [], maxNodes: 10 };
      const pending = [client.api.findCircuit(circuit), client.api.findCircuit(circuit)];
      const outcomes = Promise.allSettled(pending);
      process.kill(pid, 'SIGKILL');
      for (const outcome of await outcomes) {
        expect(outcome).toMatchObject({
          status: 'rejected',
          reason: { code: 'engine.stopped', data: { reason: 'SIGKILL' } },
        });
      }
      expect(client.state).toEqual({ kind: 'stopped', reason: 'SIGKILL' });

      const analysis = await client.api.analyze(question);
      expect(analysis.strip.tokens).toHaveLength(4);
      expect((await client.api.ping({})).pid).not.toBe(pid);
    } finally {
      client.dispose();
    }
  });

  it('tells the engine where to keep things, and passes the variables of the hub on', async () => {
    const script = join(folder, 'printer.cjs');
    const shown = ['FOVEA_STORAGE', 'FOVEA_THREADS', 'HF_HOME', 'HTTPS_PROXY', 'NODE_OPTIONS'];
    writeFileSync(
      script,
      `console.log(JSON.stringify(${JSON.stringify(shown)}.map((name) => process.env[name])))`,
    );
    vi.stubEnv('HF_HOME', '/models/hf');
    vi.stubEnv('HTTPS_PROXY', undefined);
    vi.stubEnv('NODE_OPTIONS', '--no-warnings');
    let engine: EngineProcess | undefined;
    const line = new Promise<string>((resolve) => {
      const log = { ...silentLog, info: resolve };
      const options = { storage: '/storage', proxy: 'http://proxy:3128', threads: 3, log };
      engine = new EngineProcess({ entry: script, ...options });
    });
    try {
      expect(JSON.parse(await line)).toEqual(['/storage', '3', '/models/hf', 'http://proxy:3128', null]);
    } finally {
      engine?.dispose();
      vi.unstubAllEnvs();
    }
  });

  it('says so when the engine’s script is not there', async () => {
    const lines: string[] = [];
    const log = { ...silentLog, warn: (line: string) => void lines.push(line) };
    const engine = new EngineProcess({ entry: join(folder, 'nothing.cjs'), threads: 0, log });
    await expect(engine.api.ping({})).rejects.toMatchObject({ code: 'engine.stopped' });
    engine.dispose();
  });
});
