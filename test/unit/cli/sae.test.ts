/** `fovea sae` from the outside: what is in folders, and exports that other commands read again. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Bundle, bundle } from '../../fixtures/bundle.ts';
import { type TinyModel, topKHook, writeTinyModel } from '../../fixtures/tinyModel.ts';
import { temporaryFolder } from '../temporaryFolder.ts';
import { runProgram } from './program.ts';

const fixtures = join(import.meta.dirname, '../../fixtures/parity/sae_formats');

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

describe('fovea sae', () => {
  it('lists SAEs of every layout below folders, with hooks and kinds', async () => {
    const { code, out } = await fovea('sae', 'list', fixtures);
    expect(code).toBe(0);
    expect(out).toMatch(
      /set#layer_0\.safetensors +blocks\.0\.mlp\.hook_in → blocks\.0\.hook_mlp_out +circuit-tracer/,
    );
    expect(out).toMatch(/BatchTopKSAE +blocks\.1\.hook_resid_post +dictionary_learning +jumprelu +24\n/);
    expect(out).toMatch(
      /SAE-l19\.pth +blocks\.19\.hook_resid_post +Goodfire +standard +24 \(not for this model\)/,
    );
    expect(out).toContain(topKHook);
  });

  it('checks whether an SAE is read right, on a text of its own when one is named', async () => {
    const sae = join(tiny.folder, 'saes', topKHook);
    const text = join(await temporaryFolder(), 'story.txt');
    await writeFile(text, 'When Mary and John went to the store, John gave a drink to Mary.');
    const [plain, own] = await Promise.all([
      fovea('sae', 'check', sae),
      fovea('sae', 'check', sae, '--text', text, '--json'),
    ]);
    expect(plain).toMatchObject({ code: 0, err: '' });
    expect(plain.out).toMatch(/^(good|fair|poor|other): /);
    expect(plain.out).toMatch(
      /\nMeasured on \d+ tokens of built-in text\.\nreading +variance +L0 +cosine\n.*\nas declared /s,
    );
    expect(JSON.parse(own.out)).toMatchObject({ text: 'story.txt', current: { what: 'as declared' } });
    expect((await fovea('sae', 'check', sae, '--text', '/nowhere')).err).toContain(
      'There is no file /nowhere',
    );
  });

  it('exports an SAE that other commands read again', async () => {
    const out = join(await temporaryFolder(), 'exported');
    const sae = join(fixtures, 'dictionary_learning', 'AutoEncoderTopK');
    const written = await fovea('sae', 'export', sae, '--format', 'SAELens', '--out', out);
    expect(written).toMatchObject({ code: 0, out: `Written to ${out}\n` });
    const asked = (named: string) => fovea('features', 'When she gave', '--sae', named, '--json');
    const [exported, original] = await Promise.all([asked(out), asked(sae)]);
    expect(exported).toMatchObject({ code: 0, err: '' });
    const strongest = (text: string) =>
      JSON.parse(text, (key, value) => (key === 'activation' ? Number(value.toFixed(3)) : value)).tokens;
    expect(strongest(exported.out)).toEqual(strongest(original.out));
  });

  it('says that there are no releases, and what a wrong line lacks', async () => {
    expect(await fovea('sae', 'releases')).toMatchObject({
      code: 0,
      out: expect.stringContaining('no public'),
    });
    expect(await fovea('sae', 'export', 'x')).toMatchObject({
      code: 2,
      err: expect.stringContaining('--out'),
    });
    expect(await fovea('sae')).toMatchObject({ code: 2, err: expect.stringContaining('list, releases') });
  });
});
