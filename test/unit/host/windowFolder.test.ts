/** Windows without a folder keep their files apart, have them again after a reload, and leave nothing for ever. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLog } from '../../../src/host/log.ts';
import { textFolder } from '../../../src/host/textFolder.ts';
import { forgetOldWindows, windowFolder } from '../../../src/host/windowFolder.ts';

let global: string;
beforeEach(() => {
  global = mkdtempSync(join(tmpdir(), 'fovea-windows-'));
});
afterEach(() => rmSync(global, { recursive: true, force: true }));

function memory(kept = new Map<string, unknown>()) {
  return {
    get: <T>(key: string) => kept.get(key) as T | undefined,
    update: async (key: string, value: unknown) => void kept.set(key, value),
  };
}

describe('the folder of a window', () => {
  it('is the one of its workspace when it has one', () => {
    expect(windowFolder({ own: '/w/own', global, memory: memory() })).toBe('/w/own');
  });

  it('is its own without one, and the same after a reload', () => {
    const mine = memory();
    const folder = windowFolder({ global, memory: mine });
    expect(windowFolder({ global, memory: mine })).toBe(folder);
    expect(windowFolder({ global, memory: memory() })).not.toBe(folder);
    const hostile = memory(new Map([['windowId', '../../elsewhere']]));
    expect(windowFolder({ global, memory: hostile })).toMatch(/windows.[0-9a-f-]{36}$/);
  });

  it('goes when it was not used for a month, and not before', async () => {
    const now = Date.now();
    const make = (name: string, days: number): string => {
      const folder = join(global, 'windows', name, 'sweeps');
      mkdirSync(folder, { recursive: true });
      const then = now / 1000 - days * 86_400;
      for (const path of [folder, join(folder, '..')]) utimesSync(path, then, then);
      return join(folder, '..');
    };
    const [old, recent, own] = [make('old', 40), make('recent', 20), make('own', 40)];
    await forgetOldWindows(global, own, now);
    expect([old, recent, own].map(existsSync)).toEqual([false, true, true]);
    // What is written inside counts as use, and a window that is open stays for the next one, too.
    await forgetOldWindows(global, recent, now + 20 * 86_400_000);
    expect(existsSync(own)).toBe(true);
  });
});

describe('a folder of texts', () => {
  it('leaves no drafts, and does not stumble over a file that cannot be read', () => {
    const files = textFolder(global, 'sweep', silentLog);
    files.save('one', '1');
    // A draft of the old fixed name, that another window left or is writing, is in nobody's way.
    mkdirSync(join(global, 'two.json.part'));
    files.save('two', '2');
    writeFileSync(join(global, 'bad.json'), '');
    const seen: string[] = [];
    files.each((text, id) => {
      if (text === '') throw new Error('empty');
      seen.push(`${id}=${text}`);
    });
    expect(seen.sort()).toEqual(['one=1', 'two=2']);
    files.remove('one');
    expect(readdirSync(global).sort()).toEqual(['bad.json', 'two.json', 'two.json.part']);
  });
});
