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
  /** Memory of the process that is in use now, in bytes; NaN where the system does not tell. */
  resident(): number;
  close(): Promise<void>;
}

/** Forks the engine from its bundle, which lies above the benchmarks'. */
export function forkEngine(): EngineFork {
  const entry = fileURLToPath(new URL('../engine.cjs', import.meta.url));
  const child = fork(entry, [], {
    serialization: 'advanced',
    execArgv: [],
    // As the extension does it: see `engineProcess`.
    env: { ...process.env, MALLOC_MMAP_THRESHOLD_: '262144' },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const connection = createMessageConnection(new IPCMessageReader(child), new IPCMessageWriter(child));
  const api = connect<EngineApi>(connection);
  connection.listen();
  return {
    api,
    cpuTime: () => processTime(child),
    resident: () => residentBytes(child),
    close: async () => {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      connection.dispose();
      child.kill();
      await gone;
    },
  };
}

function residentBytes({ pid }: ChildProcess): number {
  try {
    const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return Number(kilobytes) * 1024;
  } catch {
    return Number.NaN;
  }
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
