/** Grids of sweeps as text: what was measured, on which scale, and a table with the names of its axes. */

import { formatNumber, formatSigned, quoteToken } from '../shared/format.ts';
import type { Ablation, SweepGrid, SweepRequest } from '../shared/patchingApi.ts';
import { renderTable } from './table.ts';

/** Rows of a list and senders of paths in text; --json has all. */
const [shownRows, shownSenders] = [40, 20];
const right = { align: 'right' } as const;

/** The text of a finished sweep, or of what is known of one: unknown cells are left empty. */
export function sweepText(request: SweepRequest, grid: SweepGrid, hook?: string): string {
  const head = [measured(grid), scaleText(request), axesText(grid, hook)].join('\n');
  return [head, ...('receivers' in request ? [pathTable(grid)] : gridTables(grid))].join('\n\n');
}

function measured({ metric, pairCount, clean, corrupted }: SweepGrid): string {
  const pairs = `${pairCount} ${pairCount === 1 ? 'pair' : 'pairs'}`;
  return `${metric} (${pairs}): clean ${formatSigned(clean)}, corrupted ${formatSigned(corrupted)}`;
}

/** What the numbers of the cells mean. */
function scaleText(request: SweepRequest): string {
  const change =
    'change of the clean metric as a share of it: −1 when nothing is left, 0 when nothing changes';
  if ('receivers' in request) {
    const to = request.receivers.map(({ input, layer, head }) => `${input}:${layer}.${head}`).join(', ');
    return `Paths to ${to || 'the logits'}: ${change}`;
  }
  if ('ablation' in request) return `Ablation (${ablationText(request.ablation)}): ${change}`;
  const [from, into] = request.direction === 'noising' ? ['corrupted', 'clean'] : ['clean', 'corrupted'];
  return `Patching ${from} values into the ${into} run: 0 as corrupted, 1 as clean`;
}

function ablationText(ablation: Ablation): string {
  if (ablation.kind === 'zero') return 'zero';
  const prompts = `${ablation.reference} prompts`;
  if (ablation.kind === 'resample') return `values of other ${prompts}`;
  const over = { task: '', position: ', by position', template: ', by template and position' };
  return `mean over the ${prompts}${over[ablation.over]}`;
}

function axesText({ axes }: SweepGrid, hook: string | undefined): string {
  const named = axes.map(({ name }) => (name === 'feature' && hook ? `feature of ${hook}` : name));
  const rows = named.length > 1 ? named.at(-2)! : named[0]!;
  const columns = named.length > 1 ? `; columns: ${named.at(-1)}` : '';
  const outer = named.length > 2 ? `Tables: ${named.slice(0, -2).join(', ')}; rows: ` : 'Rows: ';
  return `${outer}${rows}${columns}`;
}

/** The last two axes as a table for every choice of those before; one axis as a list. */
function gridTables(grid: SweepGrid): string[] {
  const { axes, values } = grid;
  if (axes.length === 1) return [listTable(grid)];
  const [rows, columns] = [axes.at(-2)!, axes.at(-1)!];
  const size = columns.labels.length * rows.labels.length;
  const outer = axes.slice(0, -2);
  const titles = columns.labels.map((label) => ({ title: columnTitle(grid, columns.name, label), ...right }));
  const tables: string[] = [];
  for (let table = 0; table * size < values.length; table++) {
    if (outer.length > 0) tables.push(outerName(outer, table));
    const lines = rows.labels.map((label, row) => [
      label,
      ...columns.labels.map((_, column) =>
        cellText(values[table * size + row * columns.labels.length + column]!),
      ),
    ]);
    tables.push(renderTable([{ title: rows.name, ...right }, ...titles], lines));
  }
  return tables;
}

function listTable({ axes, values }: SweepGrid): string {
  const { name, labels } = axes[0]!;
  const lines = labels.slice(0, shownRows).map((label, i) => [label, cellText(values[i]!)]);
  const table = renderTable(
    [
      { title: name, ...right },
      { title: 'value', ...right },
    ],
    lines,
  );
  const more = labels.length - shownRows;
  return more > 0 ? `${table}\n… and ${more} more, with --json` : table;
}

function outerName(axes: SweepGrid['axes'], table: number): string {
  let rest = table;
  const names: string[] = [];
  for (const { name, labels } of [...axes].reverse()) {
    names.unshift(`${name} ${labels[rest % labels.length]}`);
    rest = Math.floor(rest / labels.length);
  }
  return names.join(', ');
}

function columnTitle({ tokens }: SweepGrid, axis: string, label: string): string {
  const text = /pos$/.test(axis) ? tokens?.clean[Number(label)] : undefined;
  return text === undefined ? label : `${label} ${quoteToken(text)}`;
}

function cellText(value: number): string {
  return Number.isNaN(value) ? '' : value.toFixed(3);
}

/** The senders with the largest effects. */
function pathTable({ axes, values }: SweepGrid): string {
  const known = Array.from(values.keys()).filter((i) => !Number.isNaN(values[i]!));
  const order = known.sort((a, b) => Math.abs(values[b]!) - Math.abs(values[a]!));
  const rows = order
    .slice(0, shownSenders)
    .map((i) => [axes[0]!.labels[i]!, `${formatSigned(100 * values[i]!)} %`]);
  const table = renderTable([{ title: 'sender' }, { title: 'effect', align: 'right' }], rows);
  const more = known.length - shownSenders;
  return more > 0 ? `${table}\n… and ${formatNumber(more)} weaker ones, with --json` : table;
}
