// Texts that a person has read and approved. `UPDATE_GOLDEN=1 npx vitest run …` rewrites them; read the difference.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect } from 'vitest';

/** Compares `text` with the file `test/golden/<name>`. */
export function expectGolden(name: string, text: string): void {
  const path = join(import.meta.dirname, '..', 'golden', name);
  if (process.env.UPDATE_GOLDEN === '1') {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
  expect(text).toBe(readFileSync(path, 'utf8'));
}
