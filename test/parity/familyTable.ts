// Keeps `src/engine/model/familyParity.json` honest: rewritten on request, otherwise no measurement may be worse than it says.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';

const path = fileURLToPath(new URL('../../src/engine/model/familyParity.json', import.meta.url));

/** What was found for one small model. */
export interface Measured {
  readonly model: string;
  readonly family: string;
  readonly reference: string;
  /** Absent when its hooks were not compared with the library that the table names. */
  readonly hookReference?: string;
  readonly hooks: number;
  readonly worstLogit: number;
  readonly worstHook: number;
}

interface Row {
  models: string[];
  hooks: number;
  worstLogit: number;
  worstHook: number;
}

interface Table {
  reference: string;
  hookReference: string;
  families: Record<string, Row>;
}

/**
 * `UPDATE_GOLDEN=1` writes the table. Otherwise it must name the same models, hooks and references, and every
 * difference may be at most three times what it says (other processors round otherwise) or 1e-6.
 */
export function checkFamilyTable(measured: readonly Measured[]): void {
  const found = tableOf(measured);
  if (process.env.UPDATE_GOLDEN === '1') writeFileSync(path, layOut(found));
  const told: Table = JSON.parse(readFileSync(path, 'utf8'));
  expect(withoutNumbers(told)).toEqual(withoutNumbers(found));
  for (const [family, row] of Object.entries(found.families)) {
    const { worstLogit, worstHook } = told.families[family]!;
    expect(row.worstLogit, `${family}: logits`).toBeLessThanOrEqual(Math.max(3 * worstLogit, 1e-6));
    expect(row.worstHook, `${family}: hooks`).toBeLessThanOrEqual(Math.max(3 * worstHook, 1e-6));
  }
}

/** JSON as the formatter of the repository leaves it: one line per list. */
function layOut(table: Table): string {
  const text = JSON.stringify(table, null, 2);
  return `${text.replace(/\[\s+([^\]]+?)\s+\]/g, (_, items: string) => `[${items.replace(/\s+/g, ' ')}]`)}\n`;
}

function tableOf(measured: readonly Measured[]): Table {
  const families: Record<string, Row> = {};
  for (const { model, family, hookReference, hooks, worstLogit, worstHook } of measured) {
    families[family] ??= { models: [], hooks: 0, worstLogit: 0, worstHook: 0 };
    const row = families[family];
    row.models.push(model);
    row.worstLogit = Math.max(row.worstLogit, rounded(worstLogit));
    if (hookReference === undefined) continue;
    row.hooks += hooks;
    row.worstHook = Math.max(row.worstHook, rounded(worstHook));
  }
  return { reference: only(measured, 'reference'), hookReference: only(measured, 'hookReference'), families };
}

/** Two digits, rounded up. */
function rounded(x: number): number {
  if (x === 0) return 0;
  const unit = 10 ** (Math.floor(Math.log10(x)) - 1);
  return Number((Math.ceil(x / unit) * unit).toPrecision(2));
}

/** The one value that all measurements share. */
function only(measured: readonly Measured[], field: 'reference' | 'hookReference'): string {
  const values = [...new Set(measured.flatMap((one) => one[field] ?? []))];
  expect(values).toHaveLength(1);
  return values[0]!;
}

function withoutNumbers({ reference, hookReference, families }: Table) {
  const rows = Object.entries(families).map(([family, { models, hooks }]) => ({ family, models, hooks }));
  return { reference, hookReference, rows };
}
