/**
 * Runs every benchmark, each in a process of its own, and prints one table. `--json` prints the figures as JSON instead;
 * names of benchmarks choose some of them: `npm run bench -- keystroke hooks`.
 */

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { describeMachine, type Figure, type Machine } from './figure.ts';

const all = [
  'keystroke',
  'tokenizer',
  'coldStart',
  'hooks',
  'memory',
  'training',
  'patching',
  'ranks',
  'sparseCircuits',
] as const;
const root = fileURLToPath(new URL('../..', import.meta.url));

async function measure(name: string): Promise<readonly Figure[]> {
  process.stderr.write(`bench: ${name} …\n`);
  const script = fileURLToPath(new URL(`./${name}.cjs`, import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [script], { cwd: root });
  return JSON.parse(stdout) as Figure[];
}

function inUnit({ value, unit }: Pick<Figure, 'value' | 'unit'>): string {
  if (unit === 'r' || unit === 'share') return `${value.toFixed(3)} ${unit}`;
  if (unit === '×' || unit === 'ρ') return `${value.toFixed(2)} ${unit}`;
  return `${Math.round(value).toLocaleString('en')} ${unit}`;
}

function targetOf({ target, unit }: Figure): string {
  return target === undefined ? '' : `≤ ${inUnit({ value: target, unit })}`;
}

function table(machine: Machine, figures: readonly Figure[]): string {
  const { cpu, cores, node, onnxruntime, load } = machine;
  const rows = figures.map((figure) => {
    const mark = figure.target !== undefined && figure.value > figure.target ? ' (missed)' : '';
    return `| ${figure.what} | ${targetOf(figure)} | ${inUnit(figure)}${mark} | ${figure.detail} |`;
  });
  return [
    `Measured on ${cpu}, ${cores} cores, Node.js ${node}, ONNX Runtime ${onnxruntime}; load average ${load.toFixed(1)} at the start.`,
    '',
    '| figure | target | median | seen beside it |',
    '| --- | --- | --- | --- |',
    ...rows,
  ].join('\n');
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: { json: { type: 'boolean', default: false } },
    allowPositionals: true,
  });
  const machine = describeMachine(root);
  const figures: Figure[] = [];
  for (const name of positionals.length > 0 ? positionals : all) figures.push(...(await measure(name)));
  process.stdout.write(
    values.json ? `${JSON.stringify({ machine, figures }, null, 2)}\n` : `${table(machine, figures)}\n`,
  );
}

void main();
