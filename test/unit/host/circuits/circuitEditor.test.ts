/** The editor of circuit files: what saving writes, what it asks first, and what counts as saved. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { BrokenCircuit } from '../../../../src/host/circuits/brokenCircuit.ts';
import { CircuitEditor } from '../../../../src/host/circuits/circuitEditor.ts';
import type { CircuitFile } from '../../../../src/host/circuits/circuitFile.ts';
import { OpenCircuits } from '../../../../src/host/circuits/openCircuits.ts';
import { silentLog } from '../../../../src/host/log.ts';
import type { Services } from '../../../../src/host/services.ts';
import { writeCircuit } from '../../../../src/shared/circuitDocument.ts';
import { writePublicGraph } from '../../../../src/shared/publicGraphWriter.ts';
import { readCircuit } from '../../../../src/shared/readCircuit.ts';
import { createFakeEngine } from '../../../fixtures/fakeEngine.ts';
import { tinyCircuit } from '../../../fixtures/tinyCircuit.ts';

const user = vi.hoisted(() => ({
  answer: undefined as string | undefined,
  asked: [] as string[],
  saveTo: undefined as string | undefined,
  autoSave: 'off',
  told: [] as string[],
  status: [] as string[],
  /** What a command does beside being noted. */
  run: undefined as ((name: string) => Promise<void>) | undefined,
  commands: [] as string[],
  changed: () => Promise.resolve() as Promise<void>,
  beforeWrite: undefined as (() => void) | undefined,
  /** The address of a file, as the stand-in for VS Code makes it. */
  fileUri: (path: string): unknown => path,
}));

vi.mock('vscode', async () => {
  const fs = await import('node:fs');
  const { posix } = await import('node:path');
  class Uri {
    constructor(
      readonly path: string,
      readonly query = '',
      readonly fragment = '',
    ) {}
    get fsPath(): string {
      return this.path;
    }
    toString(): string {
      return [this.path, this.query, this.fragment].join('|');
    }
    with(change: { query: string; fragment: string }): Uri {
      return new Uri(this.path, change.query, change.fragment);
    }
    static file(path: string): Uri {
      return new Uri(path);
    }
    static parse(text: string): Uri {
      return new Uri(...(text.split('|') as [string]));
    }
    static from({ path }: { path: string }): Uri {
      return new Uri(path);
    }
    static joinPath(uri: Uri, ...parts: string[]): Uri {
      return new Uri(posix.join(uri.path, ...parts));
    }
  }
  user.fileUri = Uri.file;
  const nothing = { dispose: () => {} };
  return {
    Uri,
    l10n: { t: (text: string, ...values: unknown[]) => text.replace('{0}', String(values[0])) },
    CancellationError: class extends Error {},
    FileSystemError: class extends Error {},
    RelativePattern: class {},
    EventEmitter: class {
      event = () => nothing;
      fire(): void {}
      dispose(): void {}
    },
    commands: {
      executeCommand: async (name: string) => {
        user.commands.push(name);
        await user.run?.(name);
      },
    },
    window: {
      registerCustomEditorProvider: () => nothing,
      showWarningMessage: async (message: string) => {
        user.asked.push(message);
        return user.answer;
      },
      showInformationMessage: async (message: string) => {
        user.told.push(message);
        return user.answer;
      },
      setStatusBarMessage: (message: string) => void user.status.push(message),
      showSaveDialog: async () => (user.saveTo === undefined ? undefined : new Uri(user.saveTo)),
    },
    workspace: {
      getConfiguration: () => ({ get: () => user.autoSave }),
      registerTextDocumentContentProvider: () => nothing,
      createFileSystemWatcher: () => ({
        dispose: () => {},
        onDidChange: (listener: () => Promise<void>) => {
          user.changed = listener;
        },
      }),
      fs: {
        stat: async ({ path }: Uri) => fs.statSync(path),
        readFile: async ({ path }: Uri) => new Uint8Array(fs.readFileSync(path)),
        writeFile: async ({ path }: Uri, bytes: Uint8Array) => {
          user.beforeWrite?.();
          fs.writeFileSync(path, bytes);
        },
        delete: async ({ path }: Uri) => fs.rmSync(path),
      },
    },
  };
});

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'circuit-editor-'));
  path = join(folder, 'a.circuit.json');
  Object.assign(user, {
    answer: undefined,
    asked: [],
    saveTo: undefined,
    autoSave: 'off',
    told: [],
    status: [],
    run: undefined,
    commands: [],
    beforeWrite: undefined,
  });
  writeFileSync(path, writeCircuit(tinyCircuit));
});
afterEach(() => rmSync(folder, { recursive: true }));

async function open(backupId?: string) {
  const engine = createFakeEngine();
  const model = await engine.openModel({ path: '/models/mini' });
  const models = { model, saes: [], ensure: async () => model };
  const storage = { load: () => [], save: () => {}, remove: () => {} };
  const circuits = new OpenCircuits({ engine, models, storage, log: silentLog });
  const editor = new CircuitEditor({ circuits, log: silentLog } as unknown as Services);
  const uri = user.fileUri(path) as never;
  const context = { backupId, untitledDocumentData: undefined } as never;
  const file = (await editor.openCustomDocument(uri, context)) as CircuitFile;
  const pin = (...pinned: string[]): void =>
    file.circuit.annotate({ ...file.circuit.annotations, pinned }, 'Pin');
  return { editor, file, pin };
}

const inFile = (name = path) => readCircuit('', readFileSync(name, 'utf8')).annotations!;
const theirs = writeCircuit({
  ...tinyCircuit,
  annotations: { ...tinyCircuit.annotations!, title: 'Theirs' },
});

describe('a file that cannot be read', () => {
  it('opens all the same, and says at which line it stops being JSON', async () => {
    writeFileSync(path, writeCircuit(tinyCircuit).replace('\n', '\n<<<<<<< HEAD\n'));
    const { file } = await open();
    expect(file).toBeInstanceOf(BrokenCircuit);
    const { error } = file as unknown as BrokenCircuit;
    expect(error).toMatchObject({ code: 'file.malformed' });
    expect((error as Error).message).toMatch(/at line 2, column 1/);
  });
});

describe('saving', () => {
  it('writes, and what was added meanwhile is not saved yet', async () => {
    const { editor, file, pin } = await open();
    pin('error');
    user.beforeWrite = () => pin('logit');
    await editor.saveCustomDocument(file);
    expect(inFile().pinned).toEqual(['error']);
    expect(file.isDirty).toBe(true);
    user.beforeWrite = undefined;
    await editor.saveCustomDocument(file);
    expect([inFile().pinned, file.isDirty, user.asked]).toEqual([['logit'], false, []]);
  });

  it('asks before it goes over what others have written, and leaves both when nothing is answered', async () => {
    const { editor, file, pin } = await open();
    pin('error');
    writeFileSync(path, theirs);
    await user.changed();
    await expect(editor.saveCustomDocument(file)).rejects.toThrow();
    expect([inFile().title, file.isDirty, user.asked.length]).toEqual(['Theirs', true, 1]);
    user.answer = 'Compare';
    await expect(editor.saveCustomDocument(file)).rejects.toThrow();
    expect([inFile().title, file.isDirty, user.commands]).toEqual(['Theirs', true, ['vscode.diff']]);
    user.answer = 'Revert';
    await editor.saveCustomDocument(file);
    expect([file.circuit.annotations.title, file.isDirty]).toEqual(['Theirs', false]);
    pin('logit');
    writeFileSync(path, writeCircuit(tinyCircuit));
    user.answer = 'Overwrite';
    await editor.saveCustomDocument(file);
    expect([inFile().title, inFile().pinned]).toEqual(['Theirs', ['logit']]);
  });

  it('ends the stroke of the slider: what is moved after that is to be saved again', async () => {
    const { editor, file } = await open();
    const slide = (keep: number): void =>
      file.circuit.annotate({ ...file.circuit.annotations, keep }, 'Prune', 1);
    const steps: string[] = [];
    file.circuit.onDidStep(({ what }) => steps.push(what));
    slide(0.9);
    slide(0.7);
    await editor.saveCustomDocument(file);
    expect([inFile().keep, steps.length]).toEqual([0.7, 1]);
    slide(0.6);
    expect([file.isDirty, steps.length]).toEqual([true, 2]);
    await editor.backupCustomDocument(file, { destination: user.fileUri(join(folder, 'backup')) } as never);
    slide(0.5);
    expect(steps.length).toBe(3);
  });

  it('of a backup asks when the file has changed since the backup was made', async () => {
    const first = await open();
    first.pin('error');
    const destination = user.fileUri(join(folder, 'backup'));
    const { id } = await first.editor.backupCustomDocument(first.file, { destination } as never);
    const same = await open(id);
    expect([same.file.circuit.annotations.pinned, same.file.isDirty]).toEqual([['error'], true]);
    writeFileSync(path, theirs);
    const later = await open(id);
    await expect(later.editor.saveCustomDocument(later.file)).rejects.toThrow();
    expect(inFile().title).toBe('Theirs');
    writeFileSync(path, writeCircuit(tinyCircuit));
    await same.editor.saveCustomDocument(same.file);
    expect(inFile().pinned).toEqual(['error']);
  });
});

describe('a graph of another tool', () => {
  it('is not asked about at each change that is saved by itself: it is told once, and asked for on demand', async () => {
    const foreign = writePublicGraph(tinyCircuit).text;
    writeFileSync(path, foreign);
    user.autoSave = 'afterDelay';
    const { editor, file, pin } = await open();
    const told = user.told.length;
    const [first, second] = file.circuit.graph.nodes;
    for (const node of [first!, second!]) {
      pin(node.id);
      await expect(editor.saveCustomDocument(file)).rejects.toThrow();
    }
    expect([user.asked.length, user.told.length - told, user.status.length]).toEqual([0, 1, 2]);
    expect([file.isDirty, readFileSync(path, 'utf8')]).toEqual([true, foreign]);
  });

  it('is saved elsewhere from what was told, without another question', async () => {
    writeFileSync(path, writePublicGraph(tinyCircuit).text);
    user.autoSave = 'afterDelay';
    const { editor, file, pin } = await open();
    const [first] = file.circuit.graph.nodes;
    Object.assign(user, {
      answer: 'Save As…',
      saveTo: join(folder, 'b.circuit.json'),
      run: async (name: string) => {
        if (name === 'workbench.action.files.save') await editor.saveCustomDocument(file);
      },
    });
    pin(first!.id);
    await expect(editor.saveCustomDocument(file)).rejects.toThrow();
    await vi.waitFor(() => expect(file.isDirty).toBe(false));
    expect(inFile(user.saveTo).pinned).toEqual([first!.id]);
    expect(user.asked).toEqual([]);
  });

  it('stays as it is: what was added goes into a file of its own', async () => {
    const foreign = writePublicGraph(tinyCircuit).text;
    writeFileSync(path, foreign);
    const { editor, file, pin } = await open();
    const [first] = file.circuit.graph.nodes;
    pin(first!.id);
    await expect(editor.saveCustomDocument(file)).rejects.toThrow();
    user.answer = 'Save As…';
    await expect(editor.saveCustomDocument(file)).rejects.toThrow();
    expect(file.isDirty).toBe(true);
    user.saveTo = join(folder, 'b.circuit.json');
    await editor.saveCustomDocument(file);
    expect(readFileSync(path, 'utf8')).toBe(foreign);
    expect(inFile(user.saveTo).pinned).toEqual([first!.id]);
    expect([file.isDirty, user.commands]).toEqual([false, ['vscode.openWith']]);
  });
});

describe('a file that changes on disk', () => {
  it('is read again, but not for what was written here', async () => {
    const { editor, file, pin } = await open();
    pin('error');
    await editor.saveCustomDocument(file);
    await user.changed();
    expect(file.circuit.canUndo).toBe(true);
    writeFileSync(path, theirs);
    await user.changed();
    expect([file.circuit.annotations.title, file.circuit.canUndo, file.isDirty]).toEqual([
      'Theirs',
      false,
      false,
    ]);
  });
});
