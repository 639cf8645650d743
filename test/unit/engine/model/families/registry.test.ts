/** The registry of families: every file beside it is a row, and no model type stands twice. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { families, familyNames } from '../../../../../src/engine/model/families/registry.ts';

const folder = join(import.meta.dirname, '../../../../../src/engine/model/families');

it('has a row for every family file', async () => {
  const files = readdirSync(folder).filter((name) => !['family.ts', 'registry.ts'].includes(name));
  expect(files.length).toBeGreaterThan(10);
  for (const file of files) {
    const exported = Object.values<unknown>(await import(join(folder, file)));
    expect(
      exported.filter((value) => (families as readonly unknown[]).includes(value)),
      file,
    ).toHaveLength(1);
  }
  expect(families).toHaveLength(files.length);
});

it('names every model type and every class once', () => {
  const types = families.flatMap(({ modelTypes }) => modelTypes);
  const classes = families.map(({ architecture }) => architecture);
  expect(new Set(types).size).toBe(types.length);
  expect(new Set(classes).size).toBe(classes.length);
  expect(familyNames).toEqual(families.map(({ modelTypes }) => modelTypes[0]));
});
