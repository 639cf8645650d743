/** `fovea graph` and `fovea train transcoder` from the outside: a transcoder is trained, and a graph made over it is written. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Bundle, bundle } from '../../fixtures/bundle.ts';
import { type TinyModel, writeTinyModel } from '../../fixtures/tinyModel.ts';
import { temporaryFolder } from '../temporaryFolder.ts';
import { runProgram } from './program.ts';

let program: Bundle;
let tiny: TinyModel;

beforeAll(async () => {
  [program, tiny] = await Promise.all([bundle('src/cli/main.ts'), writeTinyModel(9)]);
});

afterAll(async () => {
  await program?.remove();
  await tiny?.remove();
});

function fovea(...argv: string[]) {
  return runProgram(program.file, [argv[0]!, '--model', tiny.folder, ...argv.slice(1)]);
}

const prompt = 'When Mary and John went to the store';

describe('fovea graph', () => {
  it('makes graphs over transcoders that fovea has trained, in both formats', async () => {
    const folder = join(await temporaryFolder(), 'set');
    const small = ['--features', '24', '--k', '3', '--steps', '3'];
    for (const layer of ['0', '1']) {
      const trained = await fovea(
        'train',
        'transcoder',
        '--layer',
        layer,
        '--out',
        join(folder, layer),
        ...small,
      );
      expect(trained).toMatchObject({ code: 0 });
      expect(trained.out).toMatch(/variance explained/);
    }
    const [own, open] = [join(folder, 'graph.circuit.json'), join(folder, 'graph.json')];
    const [first, second] = await Promise.all([
      fovea('graph', prompt, '--transcoders', folder, '--out', own),
      fovea('graph', prompt, '--transcoders', folder, '--out', open, '--json'),
    ]);
    expect(first).toMatchObject({ code: 0 });
    expect(first.out).toMatch(/replacement score 0\.\d+, completeness score 0\.\d+/);
    const circuit = JSON.parse(await readFile(own, 'utf8'));
    expect(circuit.method.name).toBe('attribution graph');
    const shown = JSON.parse(second.out);
    const written = JSON.parse(await readFile(open, 'utf8'));
    expect(written.nodes).toHaveLength(circuit.nodes.length);
    expect(written.links).toHaveLength(shown.circuit.edges.length);
    expect(written.nodes.find((node: { feature_type: string }) => node.feature_type === 'logit').layer).toBe(
      '3',
    );
  });

  it('says of a layer without a transcoder that it has none', async () => {
    const folder = join(await temporaryFolder(), 'set');
    const argv = ['--layer', '1', '--features', '24', '--k', '3', '--steps', '3', '--out', join(folder, '1')];
    expect(await fovea('train', 'transcoder', ...argv)).toMatchObject({ code: 0 });
    const { code, out, err } = await fovea('graph', prompt, '--transcoders', folder, '--json');
    expect(code).toBe(0);
    expect(err).toContain(
      'Warning: Layer 0 has no transcoder: there, "error" is the whole output of the MLP.',
    );
    expect(JSON.parse(out).untranscoded).toEqual([0]);
  });

  it('says what is missing', async () => {
    const [none, nowhere, format] = await Promise.all([
      fovea('graph', prompt),
      fovea('graph', prompt, '--transcoders', 'not-there'),
      fovea('graph', prompt, '--format', 'png'),
    ]);
    expect(none).toMatchObject({ code: 2, err: expect.stringContaining('fovea train transcoder') });
    expect(nowhere).toMatchObject({ code: 2, err: expect.stringContaining('There is no folder not-there') });
    expect(format).toMatchObject({ code: 2, err: expect.stringContaining('fovea or graph') });
  });
});

describe('fovea train transcoder', () => {
  it('wants a layer, or both hooks', async () => {
    const out = join(await temporaryFolder(), 'one');
    const [neither, half] = await Promise.all([
      fovea('train', 'transcoder', '--out', out),
      fovea('train', 'transcoder', '--hook', 'blocks.0.mlp.hook_in', '--out', out),
    ]);
    for (const answer of [neither, half])
      expect(answer).toMatchObject({ code: 2, err: expect.stringContaining('--layer') });
  });
});
