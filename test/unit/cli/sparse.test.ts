/** `fovea sparse` from the outside: circuits, curves, comparisons, files and messages. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Bundle, bundle } from '../../fixtures/bundle.ts';
import { type TinyModel, topKHook, writeTinyModel } from '../../fixtures/tinyModel.ts';
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

const asked = ['When she gave', 'When she words', '--answer', ' words', '--wrong', ' letter', '--steps', '2'];

function sparse(...argv: string[]): Promise<Outcome> {
  return runProgram(program.file, ['sparse', '--model', tiny.folder, ...argv]);
}

describe('sparse', () => {
  it('lists the strongest nodes and edges, and how well they explain the metric', async () => {
    const { code, out, err } = await sparse(...asked);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(
      /^logitDifference on the 1 pair it was found on: clean .*, corrupted .*\n\d+ of \d+ active nodes \(.* %\) above .*: faithfulness /,
    );
    expect(out).toMatch(
      /\nTested on 1 pair, embeddings left as they are; means of 1 corrupted prompt or more\nWarning: the mean of one prompt is the corrupted run itself\.\n/,
    );
    expect(out).toMatch(/\n(feature|error)\d\S+@all +[+−]/);
    expect(out).toMatch(/ → y /);
  });

  it('writes a circuit that names SAEs by their hooks', async () => {
    const file = join(await temporaryFolder(), 'found.circuit.json');
    const { code, out } = await sparse(...asked, '--position', '--sae', topKHook, '--out', file, '--json');
    expect(code).toBe(0);
    const circuit = JSON.parse(await readFile(file, 'utf8'));
    const idsOf = ({ nodes }: { nodes: { id: string }[] }) => nodes.map(({ id }) => id).sort();
    expect(idsOf(JSON.parse(out).circuit)).toEqual(idsOf(circuit));
    expect(circuit).toMatchObject({ method: { name: 'sparse feature circuit' }, pairs: { kind: 'pair' } });
    const saes = circuit.nodes.flatMap(({ feature }: { feature?: { sae: string } }) => feature?.sae ?? []);
    expect(new Set(saes)).toEqual(new Set([topKHook]));
  });

  it('draws a curve of a task file, of features or neurons', async () => {
    const file = join(await temporaryFolder(), 'one.task.jsonl');
    const line = { clean: asked[0], corrupted: asked[1], answer: ' words', wrongAnswer: ' letter' };
    await writeFile(file, `${JSON.stringify(line)}\n`);
    for (const basis of ['features', 'neurons']) {
      const { code, out, err } = await sparse('--task', file, '--curve', '--steps', '2', '--basis', basis);
      expect({ code, err }).toEqual({ code: 0, err: '' });
      const [head, , ...rows] = out.trimEnd().split('\n');
      expect(head).toMatch(/threshold +of the span +nodes/);
      expect(rows.indexOf('')).toBe(15);
      expect(rows.at(-1)).toMatch(/^Warning: /);
    }
  });

  it('begins tests at a layer, and warns when they rest on few pairs', async () => {
    const file = join(await temporaryFolder(), 'few.task.jsonl');
    const lines = ['words', 'letter'].map((word) =>
      JSON.stringify({
        clean: asked[0],
        corrupted: `When she ${word}`,
        answer: ' words',
        wrongAnswer: ' letter',
      }),
    );
    await writeFile(file, lines.join('\n'));
    const argv = ['--task', file, '--steps', '2', '--no-edges', '--start-layer'];
    const { out } = await sparse(...argv, '1');
    expect(out).toMatch(
      /\nTested on 2 pairs, embeddings and layers below 1 left as they are; means of 2 .*\nWarning: below 5 /,
    );
    expect((await sparse(...argv, '2')).err).toMatch(/The start layer 2 .*from 0 to 1/s);
    expect((await sparse(...argv, 'low')).err).toMatch(/--start-layer takes a whole number/);
  });

  it('compares estimates with exact effects', async () => {
    const { code, out } = await sparse(...asked, '--compare');
    expect(code).toBe(0);
    expect(out).toMatch(/^atp against exact effects of \d+ nodes: r .*, Spearman .*\nig against/);
    expect(out).toMatch(/blocks\.0\.hook_resid_post/);
  });

  it.each([
    [['--method', 'guess'], /--method takes one of atp, ig, exact, not "guess"/],
    [['--basis', 'heads'], /--basis takes one of features, neurons/],
    [['--threshold', 'much'], /--threshold takes a number of at least 0/],
    [['--generate', 'riddles'], /only one of them/],
  ])('says what is wrong with %j', async (argv, message) => {
    const { code, err } = await sparse(...asked, ...argv);
    expect(code).toBe(2);
    expect(err).toMatch(message);
  });

  it('knows its generators', async () => {
    const { code, err } = await sparse('--generate', 'riddles');
    expect(code).toBe(2);
    expect(err).toMatch(/--generate takes one of ioi, agreement/);
  });
});
