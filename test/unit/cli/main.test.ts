/** The `fovea` program from the outside: tables, JSON, prompts from anywhere, exit codes and messages. */
import { copyFile, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Bundle, bundle } from '../../fixtures/bundle.ts';
import { reluHook, type TinyModel, tinyDSae, topKHook, writeTinyModel } from '../../fixtures/tinyModel.ts';
import { temporaryFolder } from '../temporaryFolder.ts';
import { type Outcome, runProgram } from './program.ts';

let program: Bundle;
let tiny: TinyModel;

beforeAll(async () => {
  [program, tiny] = await Promise.all([bundle('src/cli/main.ts'), writeTinyModel(7)]);
});

afterAll(async () => {
  await program?.remove();
  await tiny?.remove();
});

function fovea(argv: readonly string[], input?: string): Promise<Outcome> {
  return runProgram(program.file, argv, input);
}

/** Runs a command on the tiny model. */
function onTiny(command: string, ...argv: string[]): Promise<Outcome> {
  return fovea([command, '--model', tiny.folder, ...argv]);
}

async function json(work: Promise<Outcome>) {
  const { code, out, err } = await work;
  expect({ code, err }).toEqual({ code: 0, err: '' });
  return JSON.parse(out);
}

describe('help', () => {
  it('of commands about experiments lists no option that they refuse', async () => {
    const [run, exported, lens] = await Promise.all([
      fovea(['run', '--help']),
      fovea(['export', '--help']),
      fovea(['lens', '--help']),
    ]);
    for (const { out } of [run, exported]) {
      expect(out).toContain('--json');
      expect(out).not.toMatch(/--(model|bos)\b/);
    }
    expect(lens.out).toMatch(/--model FOLDER/);
  });

  it('tells the same defaults wherever a generator or a random number is meant', async () => {
    const told = async (command: string) => (await fovea([command, '--help'])).out;
    for (const command of ['sparse', 'shift', 'study', 'task']) {
      expect(await told(command), command).toMatch(/--seed N .*\(default 1\)/);
    }
    const small = ['generate', 'greaterThan', '--count', '3'];
    const text = async (...more: string[]) => (await fovea(['task', ...small, ...more])).out;
    expect(await text()).toBe(await text('--seed', '1'));
    expect(await text()).not.toBe(await text('--seed', '0'));
  });

  it('lists the commands, and is an error only when nothing was asked', async () => {
    const [asked, plain, none] = await Promise.all([fovea(['--help']), fovea(['help']), fovea([])]);
    for (const { out } of [asked, plain, none]) {
      for (const name of [
        'features',
        'ablate',
        'lens',
        'dla',
        'circuit',
        'attribute',
        'check',
        'sae',
        'study',
        'task',
        'train',
        'models',
        'download',
      ])
        expect(out).toContain(`\n  ${name} `);
    }
    expect([asked.code, plain.code, none.code]).toEqual([0, 0, 2]);
  });

  it.each([
    'features',
    'ablate',
    'lens',
    'dla',
    'circuit',
    'attribute',
    'check',
    'sae',
    'study',
    'task',
    'train',
    'models',
    'download',
  ])('of %s lists its options and the common ones', async (name) => {
    const { code, out } = await fovea([name, '--help']);
    expect(code).toBe(0);
    expect(out).toMatch(new RegExp(`Usage: fovea ${name} `));
    for (const option of ['--model FOLDER', '--json', '--help']) expect(out).toContain(option);
  });
});

describe('a wrong command line', () => {
  it.each([
    [['nothing'], 'There is no command "nothing"'],
    [['constructor'], 'There is no command "constructor"'],
    [['features', '--colour', 'red'], '--colour'],
    [['features', 'x', '--top', 'many'], '--top takes a whole number'],
    [['features'], 'Give a prompt'],
    [['ablate', 'x', '--head', '1', '--model', 'TINY'], 'A head is written layer.head'],
    [['ablate', 'x', '--model', 'TINY'], 'Name what to ablate'],
    [['ablate', 'x', '--feature', 'nowhere:3', '--model', 'TINY'], 'hook:index'],
    [['ablate', 'x', '--mlp', '1.5', '--model', 'TINY'], 'layer number'],
    [['circuit', 'x'], 'Name the two answers'],
    [['circuit', 'x', '--contrast', ' a'], 'A contrast is two answers'],
    [['features', 'x', '--sae', 'blocks.7.hook_resid_post', '--model', 'TINY'], topKHook],
    [['train'], 'Say what to train'],
    [['train', 'sae'], 'Name the hook'],
    [['train', 'sae', '--hook', topKHook], 'Name the folder'],
  ])('%j ends with 2 and says why', async (argv, words) => {
    const { code, out, err } = await fovea(argv.map((word) => (word === 'TINY' ? tiny.folder : word)));
    expect(code).toBe(2);
    expect(err).toContain(words);
    expect(err).toMatch(/\nfovea \S+ --help lists the options\.\n$|fovea help lists/);
    expect(err.split('\n').length).toBeLessThan(8);
    expect(out).toBe('');
  });
});

describe('a failure', () => {
  it.each([
    [['features', 'x', '--model', '/nowhere'], 'There is no file at /nowhere'],
    [['ablate', 'x', '--head', '9.0', '--model', 'TINY'], 'layers 0 to 1'],
    [['ablate', 'x', '--feature', `${topKHook}:99`, '--model', 'TINY'], 'features 0 to 19'],
    [['lens', '', '--model', 'TINY'], 'The prompt is empty'],
    [['circuit', 'x', '--contrast', ' words letter', '--contrast', ' a', '--model', 'TINY'], 'not one token'],
  ])('%j ends with 1 and one sentence, without a stack', async (argv, words) => {
    const { code, out, err } = await fovea(argv.map((word) => (word === 'TINY' ? tiny.folder : word)));
    expect(code).toBe(1);
    expect(err).toContain(words);
    expect(err).not.toMatch(/\n\s+at /);
    expect(out).toBe('');
  });
});

describe('features', () => {
  it('prints a table of tokens and their strongest features', async () => {
    const { code, out, err } = await onTiny('features', 'She', 'gave', 'words', '--top', '2');
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const [head, rule, ...rows] = out.trimEnd().split('\n');
    expect(head).toMatch(/^#\s+token\s+given\s+strongest features \(blocks\.1\.hook_mlp_out\)|resid_post/);
    expect(rule).toMatch(/^─+ {2}─+/);
    expect(rows.at(-1)).toMatch(/^\s*\d+ {2}·words\s+\S.* %\s+\d+ \d/);
    expect(rows.every((row) => (row.match(/│/g) ?? []).length <= 1)).toBe(true);
  });

  it('puts a beginning-of-sequence token first when it shall', async () => {
    const tokens = async (...argv: string[]) =>
      (await json(onTiny('features', 'a b', '--json', ...argv))).tokens;
    const plain = await tokens();
    expect(plain[0].special).toBeUndefined();
    expect(await tokens('--bos', 'never')).toEqual(plain);
    const [first, ...rest] = await tokens('--bos', 'always');
    expect(first).toMatchObject({ position: 0, special: true, start: 0, end: 0 });
    expect(rest.map(({ text }: { text: string }) => text)).toEqual(
      plain.map(({ text }: { text: string }) => text),
    );
    const wrong = await onTiny('features', 'a b', '--bos', 'sometimes');
    expect(wrong.code).toBe(2);
    expect(wrong.err).toContain('--bos takes auto, always or never');
  });

  it('prints JSON that says the same, for each SAE by hook or folder', async () => {
    const link = join(await temporaryFolder(), 'link');
    await symlink(join(tiny.folder, 'saes', reluHook), link);
    for (const [sae, hook] of [
      [topKHook, topKHook],
      [join(tiny.folder, 'saes', reluHook), reluHook],
      [link, reluHook],
    ] as const) {
      const found = await json(onTiny('features', 'She gave words', '--json', '--sae', sae));
      expect(found).toMatchObject({
        sae: hook,
        truncated: false,
        provenance: { model: { hash: expect.any(String) } },
      });
      expect(found.tokens.map(({ text }: { text: string }) => text).join('')).toBe('She gave words');
      expect(found.tokens[0].probability).toBeNull();
      for (const { features } of found.tokens) {
        for (const { index, activation } of features) {
          expect(index).toBeLessThan(tinyDSae);
          expect(activation).toBeGreaterThan(0);
        }
      }
    }
  });

  it('reads the prompt from words, a file or standard input alike', async () => {
    const file = join(await temporaryFolder(), 'x.prompt.txt');
    await writeFile(file, 'She gave\n words\n');
    const [words, read, piped] = await Promise.all([
      json(onTiny('features', 'She gave\n words', '--json')),
      json(onTiny('features', file, '--json')),
      json(fovea(['features', '-', '--json', '--model', tiny.folder], 'She gave\n words\n')),
    ]);
    expect(read).toEqual(words);
    expect(piped).toEqual(words);
  });

  it('writes all of a long answer into a pipe', async () => {
    const found = await json(onTiny('features', 'gave words '.repeat(2000), '--json', '--top', '20'));
    expect(found).toMatchObject({ truncated: true });
    expect(found.tokens.length).toBeGreaterThan(60);
  });
});

describe('lens', () => {
  it('shows a row per layer, the last on top, and the last positions', async () => {
    const { out } = await onTiny('lens', 'She gave words', '--last', '2');
    const rows = out.trimEnd().split('\n');
    expect(rows.slice(2).map((row) => row.split(' ')[0])).toEqual(['1', '0', 'embed']);
    expect(rows[0]).toMatch(/^layer\s+·gave\s+·words$/);
    const found = await json(onTiny('lens', 'She gave words', '--json', '--top', '4'));
    expect(found.cells).toHaveLength(3);
    expect(found.cells[0].at(-1)).toHaveLength(4);
  });
});

describe('ablate', () => {
  it('shows the answer before and after, and what the contrast became', async () => {
    const argv = [
      'ablate',
      'When she gave',
      '--head',
      '0.1',
      '--mlp',
      '1',
      '--contrast',
      ' words',
      '--contrast',
      ' letter',
    ];
    const { code, out } = await fovea([...argv, '--model', tiny.folder]);
    expect(code).toBe(0);
    expect(out).toMatch(
      /^logit difference [+−]?[\d.]+ → [+−]?[\d.]+\nKL from the clean answer [\d.]+ nats\n\nbefore/,
    );
    const found = await json(fovea([...argv, '--mean', '--json', '--model', tiny.folder]));
    expect(found.edits.map(({ action }: { action: object }) => action)).toEqual([
      { kind: 'mean' },
      { kind: 'mean' },
    ]);
    expect(found.effect.contrast.clean).not.toBe(found.effect.contrast.edited);
    const feature = await json(onTiny('ablate', 'gave', '--feature', `${reluHook}:3`, '--json'));
    expect(feature.edits[0].target.feature.index).toBe(3);
  });
});

describe('circuit', () => {
  it('lists the nodes, measures the circuit, and writes the graph', async () => {
    const file = join(await temporaryFolder(), 'a.circuit.json');
    const argv = ['When she gave', '--contrast', ' words', '--contrast', ' letter', '--nodes', '6'];
    const { code, out } = await onTiny(
      'circuit',
      ...argv,
      '--out',
      file,
      '--counterfactual',
      'When she words',
    );
    expect(code).toBe(0);
    expect(out).toMatch(
      /^" words" − " letter": .*, on the counterfactual .*\nheads and MLPs kept: faithfulness .*, completeness /,
    );
    expect(out).toMatch(/Head \d\.\d @ \d/);
    expect(out).toMatch(/strongest edges: from/);
    const written = await readFile(file, 'utf8');
    expect(written).not.toContain(tiny.folder);
    const graph = JSON.parse(written);
    expect(graph).toMatchObject({
      version: 1,
      prompt: 'When she gave',
      counterfactual: 'When she words',
      nLayers: 2,
    });
    const found = await json(onTiny('circuit', ...argv, '--components', '--json'));
    expect(found.graph.nodes.some(({ kind }: { kind: string }) => kind === 'feature')).toBe(false);
    expect(found.evaluation.faithfulness).toEqual(expect.any(Number));
  });
});

describe('what would answer another question, or be lost', () => {
  it('does not take a mistyped file name for a prompt', async () => {
    for (const name of ['missing.txt', 'folder/prompt']) {
      const { code, err } = await onTiny('features', name);
      expect(code).toBe(2);
      expect(err).toContain(`There is no file ${name}`);
    }
  });

  it('says before the work that the answer cannot be written', async () => {
    const argv = [
      'When she gave',
      '--contrast',
      ' words',
      '--contrast',
      ' letter',
      '--out',
      '/nowhere/x.json',
    ];
    const { code, err } = await onTiny('circuit', ...argv);
    expect(code).toBe(2);
    expect(err).toContain('Nothing can be written to /nowhere/x.json');
  });

  it('never replaces a folder that training did not make', async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'mine.txt'), 'mine');
    const { code, err } = await runProgram(program.file, ['train', 'mini', '--out', folder]);
    expect(code).toBe(2);
    expect(err).toContain('holds other things');
    expect(await readFile(join(folder, 'mine.txt'), 'utf8')).toBe('mine');
  });
});

describe('the embedded model', () => {
  it('is found from the program’s own place', async () => {
    const found = await json(fovea(['lens', 'The', '--json']));
    expect(found.model).toBe('mini');
  });

  it('is said to be missing where it is', async () => {
    const folder = join(await temporaryFolder(), 'a', 'b', 'c', 'd');
    await mkdir(folder, { recursive: true });
    await copyFile(program.file, join(folder, 'cli.cjs'));
    const { code, err } = await runProgram(join(folder, 'cli.cjs'), ['lens', 'The']);
    expect(code).toBe(2);
    expect(err).toContain('--model FOLDER');
  });
});
