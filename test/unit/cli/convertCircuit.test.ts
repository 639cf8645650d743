/** `fovea circuit convert` from the outside: formats by name, notes, and what cannot be said in one. */
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { writeCircuit } from '../../../src/shared/circuitDocument.ts';
import { type Bundle, bundle } from '../../fixtures/bundle.ts';
import { tinyCircuit } from '../../fixtures/tinyCircuit.ts';
import { type TinyModel, writeTinyModel } from '../../fixtures/tinyModel.ts';
import { temporaryFolder } from '../temporaryFolder.ts';
import { type Outcome, runProgram } from './program.ts';

let program: Bundle;
let tiny: TinyModel;
let folder: string;

beforeAll(async () => {
  [program, tiny] = await Promise.all([bundle('src/cli/main.ts'), writeTinyModel(7)]);
});

afterAll(async () => {
  await program?.remove();
  await tiny?.remove();
});

beforeEach(async () => {
  folder = await temporaryFolder();
});

function convert(...argv: string[]): Promise<Outcome> {
  return runProgram(program.file, ['circuit', 'convert', ...argv]);
}

describe('circuit convert', () => {
  it('reads a public graph and writes it as a circuit, and back', async () => {
    const [graph, circuit, again] = ['dog.json', 'dog.circuit.json', 'again.json'].map((name) =>
      join(folder, name),
    );
    await copyFile('test/fixtures/parity/publicGraph.json', graph!);
    const there = await convert(graph!, circuit!);
    expect(there).toMatchObject({ code: 0, err: '' });
    expect(there.out).toMatch(
      /dog\.circuit\.json: 10 nodes, 13 edges \(attributionGraph → fovea\)\n2 links start at ids/,
    );
    expect(JSON.parse(await readFile(circuit!, 'utf8'))).toMatchObject({ version: 1, prompt: 'The dog' });
    const back = await convert(circuit!, again!, '--format', 'graph', '--json');
    expect(JSON.parse(back.out)).toMatchObject({
      from: 'fovea',
      to: 'attributionGraph',
      nodes: 10,
      edges: 13,
    });
    const links = async (file: string) => JSON.parse(await readFile(file, 'utf8')).links.length;
    expect(await links(again!)).toBe(await links(graph!));
  });

  it('takes edge scores between EAP-IG’s JSON and auto-circuit’s file, with the model that was attributed', async () => {
    const [eap, scores, again] = ['g.json', 'g.pt', 'g2.json'].map((name) => join(folder, name));
    const prompts = ['When she gave', 'When she words', '--answer', ' words', '--wrong', ' letter'];
    const found = await runProgram(program.file, [
      'attribute',
      '--model',
      tiny.folder,
      ...prompts,
      '--out',
      eap!,
    ]);
    expect(found.code).toBe(0);
    expect(await convert(eap!, scores!, '--model', tiny.folder)).toMatchObject({ code: 0, err: '' });
    expect(await convert(scores!, again!, '--format', 'eap-ig', '--model', tiny.folder)).toMatchObject({
      code: 0,
    });
    const [before, after] = [
      JSON.parse(await readFile(eap!, 'utf8')),
      JSON.parse(await readFile(again!, 'utf8')),
    ];
    expect(after.cfg).toEqual(before.cfg);
    for (const [name, edge] of Object.entries<{ score: number; in_graph: boolean }>(before.edges)) {
      const kept = edge.in_graph ? edge.score : 0;
      expect(after.edges[name].score, name).toBeCloseTo(kept, 5);
    }
  });

  it('writes the circuit of attribute as a file that convert reads', async () => {
    const circuit = join(folder, 'attributed.circuit.json');
    const prompts = ['When she gave', 'When she words', '--answer', ' words', '--wrong', ' letter'];
    await runProgram(program.file, ['attribute', '--model', tiny.folder, ...prompts, '--out', circuit]);
    const text = await readFile(circuit, 'utf8');
    expect(JSON.parse(text)).toMatchObject({
      isAggregated: true,
      pairs: { kind: 'pair' },
      taskMetric: 'logitDifference',
    });
    expect(text).not.toContain(tiny.folder);
    expect(
      await convert(circuit, join(folder, 'a.json'), '--format', 'eap-ig', '--model', tiny.folder),
    ).toMatchObject({
      code: 0,
    });
  });

  it('says what a format cannot, and what is missing', async () => {
    const circuit = join(folder, 'tiny.circuit.json');
    await writeFile(circuit, writeCircuit(tinyCircuit));
    const refused = await convert(circuit, join(folder, 'x.pt'), '--model', tiny.folder);
    expect(refused).toMatchObject({ code: 1 });
    expect(refused.err).toMatch(
      /This circuit cannot be used: the format knows heads, MLPs, the input and the logits/,
    );
    expect((await convert(circuit)).err).toMatch(/Name two files/);
    expect((await convert(circuit, 'x.dat')).err).toMatch(/Say what x\.dat should be: --format fovea\|graph/);
    expect((await convert(circuit, 'x.json', '--format', 'gexf')).err).toMatch(
      /--format takes fovea, graph, eap-ig/,
    );
  });
});
