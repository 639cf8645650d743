/** The bundled engine in a process of its own, as the extension starts it. */

import { type ChildProcess, fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createMessageConnection, IPCMessageReader, IPCMessageWriter } from 'vscode-jsonrpc/node';
import type { EngineApi } from '../src/shared/engineApi.ts';
import { connect } from '../src/shared/rpc.ts';

/** An engine process and the way to talk to it. */
export interface EngineFork {
  readonly api: EngineApi;
  /** CPU time that the process has used so far, in milliseconds; NaN where the system does not tell. */
  cpuTime(): number;
  close(): Promise<void>;
}

/** Forks the engine from its bundle, which lies above the benchmarks'. */
export function forkEngine(): EngineFork {
  const entry = fileURLToPath(new URL('../engine.cjs', import.meta.url));
  const child = fork(entry, [], {
    serialization: 'advanced',
    execArgv: [],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const connection = createMessageConnection(new IPCMessageReader(child), new IPCMessageWriter(child));
  const api = connect<EngineApi>(connection);
  connection.listen();
  return {
    api,
    cpuTime: () => processTime(child),
    close: async () => {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      connection.dispose();
      child.kill();
      await gone;
    },
  };
}

/** Clock ticks of user and system time, which Linux counts a hundred to the second. */
function processTime({ pid }: ChildProcess): number {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * 10;
  } catch {
    return Number.NaN;
  }
}
