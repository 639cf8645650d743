/** What the manifest promises beyond names: restrictions, themes, pictures, walkthrough. */

// The manifest says what the code needs.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { heatSteps } from '../../../src/host/heat.ts';
import {
  commands,
  contextKeys,
  customEditors,
  heatColors,
  promptLanguage,
  settings,
  taskLanguage,
  views,
  walkthrough,
} from '../../../src/host/names.ts';

interface Step {
  readonly description: string;
  readonly media: { readonly svg: string };
  readonly completionEvents: readonly string[];
}

interface MenuEntry {
  readonly command?: string;
  readonly submenu?: string;
}

interface Manifest {
  readonly icon: string;
  readonly activationEvents: readonly string[];
  readonly capabilities: {
    readonly untrustedWorkspaces: { readonly restrictedConfigurations: readonly string[] };
  };
  readonly contributes: {
    readonly languages: readonly { readonly id: string }[];
    readonly commands: readonly {
      readonly command: string;
      readonly title: string;
      readonly category: string;
    }[];
    readonly submenus: readonly { readonly id: string }[];
    readonly menus: Readonly<Record<string, readonly MenuEntry[]>>;
    readonly keybindings: readonly { readonly command: string; readonly when: string }[];
    readonly views: Readonly<Record<string, readonly { readonly id: string }[]>>;
    readonly viewsWelcome: readonly { readonly view: string }[];
    readonly configuration: {
      readonly properties: Readonly<Record<string, { readonly default: unknown; readonly scope: string }>>;
    };
    readonly colors: readonly { readonly id: string; readonly defaults: Readonly<Record<string, string>> }[];
    readonly walkthroughs: readonly { readonly id: string; readonly steps: readonly Step[] }[];
  };
}

const text = readFileSync('package.json', 'utf8');
const manifest = JSON.parse(text) as Manifest;
const strings = JSON.parse(readFileSync('package.nls.json', 'utf8')) as Readonly<Record<string, string>>;
const { contributes } = manifest;
const sorted = (values: Iterable<string>): string[] => [...values].sort();

describe('the manifest and the code', () => {
  it('name commands by their handlers, the language, the walkthrough and a color for every step of heat', () => {
    expect(heatColors).toHaveLength(heatSteps);
    expect(contributes.languages.map(({ id }) => id)).toEqual([promptLanguage, taskLanguage]);
    expect(contributes.walkthroughs.map(({ id }) => id)).toEqual([walkthrough]);
    for (const [name, id] of Object.entries(commands)) expect(id).toBe(`fovea.${name}`);
  });

  it('use only commands that exist, in menus, keys, links and walkthrough events', () => {
    const known = new Set<string>(Object.values(commands));
    const used = [
      ...Object.values(contributes.menus).flatMap((entries) =>
        entries.flatMap(({ command }) => (command === undefined ? [] : [command])),
      ),
      ...contributes.keybindings.map(({ command }) => command),
      ...[...JSON.stringify(strings).matchAll(/command:([\w.]+)/g)].map((match) => match[1] ?? ''),
      ...[...text.matchAll(/onCommand:([\w.]+)/g)].map((match) => match[1] ?? ''),
    ];
    expect(used.filter((command) => !known.has(command))).toEqual([]);
    expect(used.length).toBeGreaterThan(20);
  });

  it('show every submenu in a menu, and fill it', () => {
    const shown = Object.values(contributes.menus).flatMap((entries) =>
      entries.flatMap(({ submenu }) => (submenu === undefined ? [] : [submenu])),
    );
    const declared = contributes.submenus.map(({ id }) => id);
    expect(sorted(shown)).toEqual(sorted(declared));
    for (const id of declared) expect(contributes.menus[id]?.length, id).toBeGreaterThan(3);
  });

  it('use only when-clause keys that the code sets', () => {
    const known = new Set<string>([
      ...Object.values(contextKeys),
      ...Object.values(views),
      ...Object.values(customEditors),
    ]);
    const clauses = [...text.matchAll(/"(?:when|enablement)": "([^"]*)"/g)].map((match) => match[1] ?? '');
    const keys = clauses.flatMap((clause) => clause.match(/fovea\.\w+/g) ?? []);
    expect(keys.filter((key) => !known.has(key))).toEqual([]);
    const set = [...text.matchAll(/onContext:([\w.]+)/g)].map((match) => match[1] ?? '');
    expect(set.filter((key) => !known.has(key))).toEqual([]);
  });

  it('restrict in untrusted workspaces every setting that names something on the machine', () => {
    const machine = Object.entries(contributes.configuration.properties)
      .filter(([, { scope }]) => scope === 'machine-overridable')
      .map(([id]) => id);
    expect(sorted(manifest.capabilities.untrustedWorkspaces.restrictedConfigurations)).toEqual(
      sorted(machine),
    );
  });

  it('let no workspace choose the hub that things are downloaded from', () => {
    expect(contributes.configuration.properties[settings.hubEndpoint]?.scope).toBe('machine');
  });

  it('have colors for all four kinds of theme', () => {
    for (const { id, defaults } of contributes.colors) {
      expect(Object.keys(defaults), id).toEqual(['dark', 'light', 'highContrast', 'highContrastLight']);
    }
  });

  it('name pictures that exist', () => {
    const pictures = [
      manifest.icon,
      ...[...text.matchAll(/"(?:icon|light|dark|svg)": "(?:\.\/)?(media\/[^"]+)"/g)].map(
        (match) => match[1] ?? '',
      ),
    ];
    expect(pictures.length).toBeGreaterThan(8);
    expect(pictures.filter((picture) => !existsSync(picture))).toEqual([]);
  });

  it('keep the walkthrough short, each step with a link and an end', () => {
    const steps = contributes.walkthroughs[0]?.steps ?? [];
    expect(steps.length).toBeLessThanOrEqual(5);
    for (const step of steps) {
      const description = strings[step.description.replaceAll('%', '')] ?? '';
      expect(description).toMatch(/\]\(command:fovea\./);
      expect(step.completionEvents.length).toBeGreaterThan(0);
    }
  });
});

describe('the host', () => {
  it('reaches VS Code’s commands, settings and context keys of its own only through names.ts', () => {
    const files = readdirSync('src/host', { recursive: true, encoding: 'utf8' }).filter(
      (file) => file.endsWith('.ts') && file !== 'names.ts',
    );
    const literal = new RegExp(
      `'(?:${[...Object.values(commands), ...Object.values(settings), ...Object.values(contextKeys)]
        .map((id) => id.replaceAll('.', '\\.'))
        .join('|')})'`,
    );
    const offenders = files.filter((file) => literal.test(readFileSync(join('src/host', file), 'utf8')));
    expect(offenders).toEqual([]);
  });
});
