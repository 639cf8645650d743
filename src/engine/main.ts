/** Entry of the engine process: serves the engine to the process that forked it, over its IPC channel. */

import { createMessageConnection, IPCMessageReader, IPCMessageWriter } from 'vscode-jsonrpc/node';
import { type EngineApi, engineMethods } from '../shared/engineApi.ts';
import { serve } from '../shared/rpc.ts';
import { Engine } from './engine.ts';

const connection = createMessageConnection(new IPCMessageReader(process), new IPCMessageWriter(process));
const threads = Number(process.env.FOVEA_THREADS);
const engine = new Engine({
  threads: threads > 0 ? threads : undefined,
  storage: process.env.FOVEA_STORAGE,
});
serve<EngineApi>(connection, engine, engineMethods);
connection.listen();

// An engine without its host would hold memory for nobody.
process.on('disconnect', () => process.exit(0));
