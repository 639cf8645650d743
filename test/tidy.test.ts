/** The house's own rules, held against the sources: who may import whom, names, the manifest, and the security policy. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import * as names from '../src/host/names.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** What a source file imports: packages as they are written, files relative to the project. */
interface Source {
  readonly path: string;
  readonly text: string;
  readonly packages: readonly string[];
  readonly files: readonly string[];
  /** Those of `files` that are needed to run, not only to check types. */
  readonly loads: readonly string[];
}

const sources = new Map(
  ['src', 'webview-ui', 'test', 'bench', 'scripts']
    .flatMap(listSources)
    .map((path) => [path, readSource(path)]),
);
const manifest = JSON.parse(read('package.json'));
const contributes = manifest.contributes ?? {};

describe('layers', () => {
  test('only the host and extension.ts import vscode', () => {
    expect(importers('vscode', /^(src\/(host\/|extension\.ts)|test\/host\/)/)).toEqual([]);
  });

  test('only engine/graph/session.ts imports onnxruntime', () => {
    expect(importers(/^onnxruntime-/, /^(src\/engine\/graph\/session\.ts$|test\/|bench\/)/)).toEqual([]);
  });

  test('only the hub and the fetcher of labels go online', () => {
    const places = /^(src\/engine\/(hub|labels)\/|test\/|bench\/|scripts\/)/;
    expect(importers(/^(node:(https?|http2|net|tls|dgram)|@huggingface\/hub)$/, places)).toEqual([]);
    const calls = /\b(globalThis\.)?fetch\(|\b(XMLHttpRequest|WebSocket|EventSource|sendBeacon)\b/;
    const callers = [...sources.values()].filter(({ path, text }) => calls.test(text) && !places.test(path));
    // A function that the caller hands in, and that asks VS Code.
    const named = new Set(['webview-ui/lib/resource.ts']);
    expect(callers.map(({ path }) => path).filter((path) => !named.has(path))).toEqual([]);
  });

  test('shared imports nothing but itself, and rpc.ts the JSON-RPC package', () => {
    expect(crossings('src/shared/', /^src\/shared\//)).toEqual([]);
    const strangers = within('src/shared/').flatMap(({ path, packages }) =>
      packages
        .filter((it) => !(path === 'src/shared/rpc.ts' && it.startsWith('vscode-jsonrpc')))
        .map((it) => `${path} imports ${it}`),
    );
    expect(strangers).toEqual([]);
  });

  test('the host, the webviews and the engine know one another only through shared', () => {
    expect(crossings('src/host/', /^src\/(host|shared)\//)).toEqual([]);
    expect(crossings('src/extension.ts', /^src\/(host|shared)\//)).toEqual([]);
    expect(crossings('webview-ui/', /^(webview-ui|src\/shared)\//)).toEqual([]);
    expect(crossings('src/engine/', /^src\/(engine|shared)\//)).toEqual([]);
    expect(crossings('src/cli/', /^src\/(cli|engine|shared)\//)).toEqual([]);
  });

  test('webviews import nothing of Node.js', () => {
    expect(importers(/^node:/, /^(?!webview-ui\/)/)).toEqual([]);
  });

  test('the tensor program and the file formats know nothing of models', () => {
    expect(crossings('src/engine/graph/', /^src\/(engine\/(graph\/|files\/|random\.ts)|shared\/)/)).toEqual(
      [],
    );
    expect(crossings('src/engine/files/', /^src\/(engine\/(files|graph)|shared)\//)).toEqual([]);
  });

  test('no imports go round in a circle', () => {
    expect(cycles()).toEqual([]);
  });

  test('every relative import names a file that exists, with its extension', () => {
    const missing = [...sources.values()].flatMap(({ path, files }) =>
      files.filter((file) => !existsSync(join(root, file))).map((file) => `${path} imports ${file}`),
    );
    expect(missing).toEqual([]);
  });
});

describe('sources', () => {
  const own = [...sources.values()].filter(({ path }) => path !== 'test/tidy.test.ts');

  test('no file is called index, utils, helpers, common, manager or types', () => {
    const pattern = /\/(index|utils?|helpers?|common|managers?|types)(\/|\.)/;
    expect([...sources.keys()].filter((path) => pattern.test(path))).toEqual([]);
  });

  test('file names are in camelCase', () => {
    const pattern = /(^|\/)[a-z][a-zA-Z0-9]*(\.(test|e2e|d))?\.(tsx?|mjs)$/;
    expect([...sources.keys()].filter((path) => !pattern.test(path))).toEqual([]);
  });

  test('every file opens with a comment that says what it is for', () => {
    expect(own.filter(({ text }) => !/^(#!.*\n)?\s*\/[/*]/.test(text)).map(({ path }) => path)).toEqual([]);
  });

  test('nothing is left for later, suppressed, or left out of the tests', () => {
    const pattern =
      /\b(TODO|FIXME|XXX)\b|\bas any\b|biome-ignore|@ts-(ignore|expect-error|nocheck)|\b(it|test|describe)\.(skip|only|todo)\b/;
    const found = own.flatMap(({ path, text }) =>
      text
        .split('\n')
        .flatMap((line, at) => (pattern.test(line) ? [`${path}:${at + 1} ${line.trim()}`] : [])),
    );
    expect(found).toEqual([]);
  });

  test('every module of the engine and of shared is reached from a test', () => {
    const tests = [...sources.keys()].filter((path) => /^test\/(unit|parity)\/.*\.test\.tsx?$/.test(path));
    const reached = reachableFrom(tests);
    // The entry of the process runs only in a process; the host tests start it.
    const entries = ['src/engine/main.ts'];
    const modules = [...within('src/engine/'), ...within('src/shared/')].map(({ path }) => path);
    expect(modules.filter((path) => !reached.has(path) && !entries.includes(path))).toEqual([]);
  });

  test('types hold', () => {
    expect(runTool('typescript/bin/tsc', ['--noEmit'])).toBe('');
  });

  test('formatter and linter have nothing to say', () => {
    expect(
      runTool('@biomejs/biome/bin/biome', ['check', '--error-on-warnings', '--reporter=summary', '.']),
    ).toBe('');
  });

  test('long files are named', () => {
    const long = own
      .map(({ path, text }) => ({ path, lines: text.split('\n').length }))
      .filter(({ lines }) => lines > 400);
    // A habit, not a gate: data and generated tables may be long.
    for (const { path, lines } of long) {
      console.warn(`${path} has ${lines} lines; could it be two rooms?`);
    }
    expect(long.filter(({ lines }) => lines > 1000)).toEqual([]);
  });
});

describe('the manifest', () => {
  test('names the commands that the code names, and no others', () => {
    expect(idsOf(contributes.commands, 'command')).toEqual(sorted(Object.values(names.commands)));
  });

  test('names the settings that the code names, and no others', () => {
    const sections = [contributes.configuration ?? []].flat();
    const declared = sections.flatMap((section: { properties?: object }) =>
      Object.keys(section.properties ?? {}),
    );
    expect(sorted(declared)).toEqual(sorted(Object.values(names.settings)));
  });

  test('names the views that the code names, and no others', () => {
    const containers = Object.values(contributes.viewsContainers ?? {}).flat();
    const lists = Object.values(contributes.views ?? {}).flat();
    expect(sorted([...idsOf(containers, 'id'), ...idsOf(lists, 'id')])).toEqual(
      sorted(Object.values(names.views)),
    );
  });

  test('uses only context keys that the code sets', () => {
    const known = new Set<string>([
      ...Object.values(names.contextKeys),
      ...Object.values(names.commands),
      ...Object.values(names.settings),
      ...Object.values(names.views),
      ...Object.values(names.panels),
      ...Object.values(names.customEditors),
    ]);
    const used = conditions(contributes).flatMap((text) => text.match(/\bfovea\.[a-zA-Z.]+/g) ?? []);
    expect(used.filter((key) => !known.has(key))).toEqual([]);
  });

  test('names the theme colors that the code names, and no others', () => {
    const used = [...names.heatColors, ...Object.values(names.lineColors)];
    expect(idsOf(contributes.colors, 'id')).toEqual(sorted(used));
  });

  test('brings every panel back after a reload', () => {
    const expected = Object.values(names.panels).map((panel) => `onWebviewPanel:${panel}`);
    const events: readonly string[] = manifest.activationEvents ?? [];
    expect(sorted(events.filter((event) => event.startsWith('onWebviewPanel:')))).toEqual(sorted(expected));
  });

  test('has a text for every key, and a key for every text', () => {
    const keys = sorted(
      new Set([...JSON.stringify(manifest).matchAll(/"%([^"%]+)%"/g)].map((match) => match[1] as string)),
    );
    expect(keys).toEqual(sorted(Object.keys(JSON.parse(read('package.nls.json')))));
  });

  test('names only files that exist, apart from what the build makes', () => {
    const files = [...JSON.stringify(contributes).matchAll(/"(?:\.\/)?(media\/[^"]+)"/g)].map(
      (match) => match[1] as string,
    );
    expect(files.filter((file) => !existsSync(join(root, file)))).toEqual([]);
  });

  test('ships one dependency', () => {
    expect(Object.keys(manifest.dependencies)).toEqual(['onnxruntime-node']);
  });
});

describe('webviews', () => {
  test('get their page in one place, under a strict policy', () => {
    const pages = within('src/host/').filter(({ text }) => text.includes('Content-Security-Policy'));
    expect(pages.map(({ path }) => path)).toEqual(['src/host/webviews/page.ts']);
    expect(pages[0]?.text).toContain(`default-src 'none'`);
    expect(pages[0]?.text).toContain("script-src 'nonce-");
    expect(pages[0]?.text).not.toMatch(/unsafe-(inline|eval)/);
    const setters = within('src/host/').filter(({ text }) => /\.html\s*=[^=]/.test(text));
    expect(setters.map(({ path }) => path)).toEqual(['src/host/webviews/page.ts']);
  });

  test('make no element from a text', () => {
    const pattern =
      /\b(innerHTML|outerHTML|insertAdjacentHTML|dangerouslySetInnerHTML|document\.write|eval\(|new Function)\b/;
    expect(
      within('webview-ui/')
        .filter(({ text }) => pattern.test(text))
        .map(({ path }) => path),
    ).toEqual([]);
  });

  test('take hold of VS Code in one place', () => {
    const holders = within('webview-ui/').filter(({ text }) => /acquireVsCodeApi\(\)/.test(text));
    expect(holders.map(({ path }) => path)).toEqual(['webview-ui/lib/host.ts']);
  });
});

function read(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}

function listSources(folder: string): readonly string[] {
  if (!existsSync(join(root, folder))) {
    return [];
  }
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .map((path) => `${folder}/${path.replaceAll('\\', '/')}`)
    .filter((path) => /\.(tsx?|mjs)$/.test(path) && !/\/(fixtures|golden|node_modules)\//.test(path))
    .sort();
}

function readSource(path: string): Source {
  const text = read(path);
  const pattern =
    /(?:^|\n)\s*(?:import|export)(\s[^'"`;]*?)from\s*['"]([^'"]+)['"]|\bimport\s*\(?\s*['"]([^'"]+)['"]/g;
  const imports = [...text.matchAll(pattern)].map((match) => {
    const specifier = (match[2] ?? match[3]) as string;
    const isFile = specifier.startsWith('.');
    const target = isFile
      ? relative(root, join(root, dirname(path), specifier)).replaceAll('\\', '/')
      : specifier;
    return { target, isFile, isType: /^\s+type\b/.test(match[1] ?? '') };
  });
  const targets = (kept: (it: (typeof imports)[number]) => boolean): readonly string[] =>
    imports.filter(kept).map(({ target }) => target);
  return {
    path,
    text,
    packages: targets((it) => !it.isFile),
    files: targets((it) => it.isFile),
    loads: targets((it) => it.isFile && !it.isType),
  };
}

/** The sources whose path begins so. */
function within(prefix: string): readonly Source[] {
  return [...sources.values()].filter(({ path }) => path.startsWith(prefix));
}

/** Who imports a package and is not among those who may. */
function importers(name: string | RegExp, allowed: RegExp): readonly string[] {
  const isMeant = (it: string): boolean => (typeof name === 'string' ? it === name : name.test(it));
  return [...sources.values()]
    .filter(({ path, packages }) => packages.some(isMeant) && !allowed.test(path))
    .map(({ path }) => path);
}

/** Imports of files outside what a layer may know. */
function crossings(layer: string, allowed: RegExp): readonly string[] {
  return within(layer).flatMap(({ path, files }) =>
    files.filter((file) => !allowed.test(file)).map((file) => `${path} imports ${file}`),
  );
}

function reachableFrom(starts: readonly string[]): ReadonlySet<string> {
  const reached = new Set(starts);
  // A set visits what is added while it is walked.
  for (const path of reached) {
    for (const file of sources.get(path)?.files ?? []) {
      reached.add(file);
    }
  }
  return reached;
}

/** Circles of imports that a program would meet when it starts, each as the path that leads back to its start. */
function cycles(): readonly string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): void => {
    const start = trail.indexOf(path);
    if (start >= 0) {
      found.push([...trail.slice(start), path].join(' → '));
      return;
    }
    if (done.has(path)) {
      return;
    }
    for (const file of sources.get(path)?.loads ?? []) {
      visit(file, [...trail, path]);
    }
    done.add(path);
  };
  for (const path of sources.keys()) {
    visit(path, []);
  }
  return found;
}

/** Every `when` and `enablement` of the manifest. */
function conditions(value: unknown): readonly string[] {
  if (typeof value !== 'object' || value === null) {
    return [];
  }
  return Object.entries(value).flatMap(([key, inner]) =>
    (key === 'when' || key === 'enablement') && typeof inner === 'string' ? [inner] : conditions(inner),
  );
}

function idsOf(entries: unknown, key: string): readonly string[] {
  return sorted(((entries ?? []) as readonly Record<string, string>[]).map((entry) => entry[key] as string));
}

function sorted(values: Iterable<string>): readonly string[] {
  return [...values].sort();
}

/** What a tool of node_modules complains about; nothing when it is content. */
function runTool(script: string, args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(root, 'node_modules', script), ...args],
    {
      cwd: root,
      encoding: 'utf8',
    },
  );
  return status === 0 ? '' : `${stdout}${stderr}`.trim() || `exit code ${status}`;
}
