/**
 * From an entry of the index to an opened SAE, for every loader that the index names: a hub serves files as the real
 * repository has them, only what the release asks for is fetched, and the id that follows from the pick opens.
 */
import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isHubPath } from '../../../../src/engine/hub/hubPath.ts';
import { findSaeFolders } from '../../../../src/engine/sae/catalog.ts';
import { openSae } from '../../../../src/engine/sae/formats/registry.ts';
import { filesOf } from '../../../../src/engine/sae/releaseFiles.ts';
import releases from '../../../../src/engine/sae/releases.json' with { type: 'json' };
import { listReleases } from '../../../../src/engine/sae/releases.ts';
import type { ModelInfo } from '../../../../src/shared/domain.ts';
import type { ReleasedSae } from '../../../../src/shared/saeApi.ts';
import { saeId } from '../../../../src/shared/saeId.ts';
import { failure, temporaryFolder } from '../../temporaryFolder.ts';
import { commit, noise, startFixture } from '../hub/hubFixture.ts';

const fixtures = join(import.meta.dirname, '../../../fixtures/parity');

/** A recorded file, and what of its text is written otherwise. */
type Recorded = string | readonly [file: string, from: string, to: string];

interface Pick {
  readonly loader: string;
  readonly release: string;
  readonly id: string;
  /** The repository: names of files, and recorded files of the same layout. */
  readonly stored: Readonly<Record<string, Recorded>>;
  /** The file of several in one folder. */
  readonly part?: string;
  readonly hook: string;
}

const formats = 'sae_formats';
const tracer = `${formats}/circuit-tracer`;
const dictionary = `${formats}/dictionary_learning/AutoEncoderTopK`;
const scope = `${formats}/gemma-scope-2b-pt`;
const scope2 = `${formats}/gemma-scope-2-270m-pt/transcoder/layer_1_width_16k_l0_small_affine`;
const llama = `${formats}/Llama3_1-8B-Base-LXR-8x/Llama3_1-8B-Base-L1R-8x`;
const qwen = `${formats}/SAE-Res-Qwen3-1.7B-Base-W32K-L0_5/layer2.sae.pt`;
const heads =
  'gpt2-small_L0_Hcat_z_lr1.20e-03_l11.80e+00_ds24576_bs4096_dc1.00e-06_rsanthropic_rie25000_nr4_v9';
const steps = 'gemma-2-2b_topk_width-2pow12_date-1109/resid_post_layer_5_checkpoints/trainer_5_step_9765';

const picks: readonly Pick[] = [
  {
    loader: 'sae_lens',
    release: 'gpt2-small-res-jb',
    id: 'blocks.8.hook_resid_pre',
    stored: {
      'blocks.8.hook_resid_pre/cfg.json': ['saes/standard/cfg.json', '1.hook_resid_post', '8.hook_resid_pre'],
      'blocks.8.hook_resid_pre/sae_weights.safetensors': 'saes/standard/sae_weights.safetensors',
      'blocks.8.hook_resid_pre_768/cfg.json': 'saes/standard/cfg.json',
      'blocks.8.hook_resid_pre_768/sae_weights.safetensors': 'saes/standard/sae_weights.safetensors',
    },
    hook: 'blocks.8.hook_resid_pre',
  },
  {
    loader: 'gemma_2',
    release: 'gemma-scope-2b-pt-mlp-canonical',
    id: 'layer_3/width_16k/canonical',
    stored: Object.fromEntries(
      ['layer_3/width_16k/average_l0_95', 'layer_3/width_16k/average_l0_25'].map((path) => [
        `${path}/params.npz`,
        `${scope}-mlp/layer_1/width_16k/average_l0_9/params.npz`,
      ]),
    ),
    hook: 'blocks.3.hook_mlp_out',
  },
  {
    loader: 'gemma_2_transcoder',
    release: 'gemma-scope-2b-pt-transcoders',
    id: 'layer_0/width_16k/average_l0_76',
    stored: {
      'layer_0/width_16k/average_l0_76/params.npz': `${scope}-transcoders/layer_1/width_16k/average_l0_9/params.npz`,
    },
    hook: 'blocks.0.mlp.hook_in',
  },
  {
    loader: 'gemma_3',
    release: 'gemma-scope-2-12b-it-transcoders',
    id: 'transcoder/layer_12_width_16k_l0_big',
    stored: Object.fromEntries(
      ['', '_affine'].flatMap((kind) => [
        [
          `transcoder/layer_12_width_16k_l0_big${kind}/config.json`,
          [`${scope2}/config.json`, 'layers.1.', 'layers.12.'] as const,
        ],
        [`transcoder/layer_12_width_16k_l0_big${kind}/params.safetensors`, `${scope2}/params.safetensors`],
      ]),
    ),
    hook: 'blocks.12.mlp.hook_in',
  },
  {
    loader: 'dictionary_learning_1',
    release: 'sae_bench_gemma-2-2b_topk_width-2pow12_date-1109',
    id: 'blocks.5.hook_resid_post__trainer_5_step_9765',
    stored: {
      [`${steps}/ae.pt`]: `${dictionary}/ae.pt`,
      [`${steps}/config.json`]: [`${dictionary}/config.json`, '"layer": 1', '"layer": 5'],
    },
    hook: 'blocks.5.hook_resid_post',
  },
  {
    loader: 'llama_scope',
    release: 'llama_scope_lxa_32x',
    id: 'l0a_32x',
    stored: {
      'Llama3_1-8B-Base-L0A-32x/hyperparams.json': [
        `${llama}/hyperparams.json`,
        '1.hook_resid_post',
        '0.hook_attn_out',
      ],
      'Llama3_1-8B-Base-L0A-32x/checkpoints/final.safetensors': `${llama}/checkpoints/final.safetensors`,
    },
    hook: 'blocks.0.hook_attn_out',
  },
  {
    loader: 'llama_scope_r1_distill',
    release: 'llama_scope_r1_distill',
    id: 'l3r_800m_slimpajama',
    stored: {
      '800M-Slimpajama-0-OpenR1-Math-220k/L3R/config.json': [
        `${formats}/Llama-Scope-R1-Distill/400M/L1R/config.json`,
        'blocks.1.',
        'blocks.3.',
      ],
      '800M-Slimpajama-0-OpenR1-Math-220k/L3R/sae_weights.safetensors': `${formats}/Llama-Scope-R1-Distill/400M/L1R/sae_weights.safetensors`,
    },
    hook: 'blocks.3.hook_resid_post',
  },
  {
    loader: 'connor_rob_hook_z',
    release: 'gpt2-small-hook-z-kk',
    id: 'blocks.0.hook_z',
    stored: {
      [`${heads}.pt`]: `${formats}/attention-output-saes/gpt2-small_L1_Hcat_z.pt`,
      [`${heads}_cfg.json`]: [
        `${formats}/attention-output-saes/gpt2-small_L1_Hcat_z_cfg.json`,
        'blocks.1.',
        'blocks.0.',
      ],
      'other_L1.pt': `${formats}/attention-output-saes/gpt2-small_L1_Hcat_z.pt`,
      'other_L1_cfg.json': `${formats}/attention-output-saes/gpt2-small_L1_Hcat_z_cfg.json`,
    },
    part: `${heads}.pt`,
    hook: 'blocks.0.attn.hook_z',
  },
  ...(['config.yaml', 'wandb-config.yaml', 'wanb-config.yaml'] as const).map(
    (config): Pick => ({
      loader: 'mwhanna_transcoder',
      release: 'mwhanna-qwen3-0.6b-transcoders-lowl0',
      id: 'layer_2',
      stored: {
        [config]: `${tracer}/set/config.yaml`,
        'layer_2.safetensors': `${tracer}/set/layer_0.safetensors`,
        'layer_20.safetensors': `${tracer}/set/layer_1.safetensors`,
      },
      part: 'layer_2.safetensors',
      hook: 'blocks.2.mlp.hook_in',
    }),
  ),
  {
    loader: 'mntss_clt_layer_transcoder',
    release: 'mntss-gemma-2-2b-2.5m-clt-as-per-layer',
    id: 'layer_1',
    stored: Object.fromEntries(
      [
        'config.yaml',
        ...[0, 1, 2].flatMap((i) => [`W_enc_${i}`, `W_dec_${i}`].map((it) => `${it}.safetensors`)),
      ].map((name) => [name, `${tracer}/circuit_tracer_clt/${name}`]),
    ),
    part: 'W_enc_1.safetensors',
    hook: 'blocks.1.hook_resid_mid',
  },
  {
    loader: 'goodfire',
    release: 'goodfire-llama-3.1-8b-instruct',
    id: 'layer_19',
    stored: {
      'Llama-3.1-8B-Instruct-SAE-l19.pth': `${formats}/Llama-3.1-8B-Instruct-SAE-l19/Llama-3.1-8B-Instruct-SAE-l19.pth`,
    },
    part: 'Llama-3.1-8B-Instruct-SAE-l19.pth',
    hook: 'blocks.19.hook_resid_post',
  },
  {
    loader: 'deepseek_r1',
    release: 'deepseek-r1-distill-llama-8b-qresearch',
    id: 'blocks.19.hook_resid_post',
    stored: {
      'DeepSeek-R1-Distill-Llama-8B-SAE-l19.pt': `${formats}/DeepSeek-R1-Distill-Llama-8B-SAE-l3/DeepSeek-R1-Distill-Llama-8B-SAE-l3.pt`,
    },
    part: 'DeepSeek-R1-Distill-Llama-8B-SAE-l19.pt',
    hook: 'blocks.19.hook_resid_post',
  },
  {
    loader: 'qwen_scope',
    release: 'qwen-scope-3-1.7b-base-w32k-l50',
    id: 'layer3',
    stored: { 'layer3.sae.pt': qwen, 'layer30.sae.pt': qwen },
    part: 'layer3.sae.pt',
    hook: 'blocks.3.hook_resid_post',
  },
];

/** Reached by a pick of their own, or refused before. */
const refused = ['temporal'];

function named(name: string): ModelInfo {
  return { name, path: `/models/${name}`, nLayers: 2, dModel: 8, dVocab: 10 } as ModelInfo;
}

async function entry({ release, id }: Pick): Promise<ReleasedSae> {
  const { model } = releases.releases.find((one) => one.release === release)!;
  const listed = (await listReleases(named(model))).find((one) => one.release === release)!;
  return listed.saes.find((sae) => sae.id === id)!;
}

async function bytesOf(recorded: Recorded): Promise<Uint8Array> {
  if (typeof recorded === 'string') return readFile(join(fixtures, recorded));
  const [file, from, to] = recorded;
  const text = await readFile(join(fixtures, file), 'utf8');
  expect(text).toContain(from);
  return new TextEncoder().encode(text.replaceAll(from, to));
}

async function filesBelow(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((one) => !one.isDirectory());
  return files.map((one) => relative(folder, join(one.parentPath, one.name))).sort();
}

describe('a public release', () => {
  it('is tested below for every loader that the index names', () => {
    const loaders = new Set(releases.releases.map(({ loader }) => loader));
    expect(new Set([...picks.map(({ loader }) => loader), ...refused])).toEqual(loaders);
    for (const loader of loaders) expect(filesOf(loader, 'x').files.files).not.toEqual([]);
    expect(filesOf('of tomorrow', 'x').problem).toContain('of tomorrow');
  });

  it('asks for plain paths of its repository, others for each of its SAEs', async () => {
    let count = 0;
    for (const name of new Set(releases.releases.map(({ model }) => model))) {
      for (const { release, saes } of await listReleases(named(name))) {
        count += saes.length;
        const ids = saes.map(({ files: { folder }, part }) => saeId({ folder, part }));
        // Canonical lists name some SAEs twice, under the same path.
        const paths = saes.map(({ files }) => files.files.join());
        expect(new Set(ids).size, release).toBe(new Set(paths).size);
        for (const { files } of saes) {
          const { files: needed, anyOf = [], optional = [] } = files;
          const wrong = [...needed, ...anyOf, ...optional].filter((path) => !isHubPath(path, 'linux'));
          expect(wrong, release).toEqual([]);
        }
      }
    }
    expect(count).toBeGreaterThan(13_000);
  });

  it.each(picks)('of the loader $loader goes from the pick to the opened SAE', async (pick) => {
    const sae = await entry(pick);
    const files: Record<string, Uint8Array> = { 'README.md': noise(100) };
    for (const [path, recorded] of Object.entries(pick.stored)) files[path] = await bytesOf(recorded);
    const { server, hub } = await startFixture();
    server.repos.set(sae.repo, { commit, files });
    const request = { repo: sae.repo, what: sae.files };
    expect(await hub().locateCached(request)).toEqual({});
    const plan = await hub().planDownload(request);
    const { path } = await hub().download({ plan });
    expect(await hub().locateCached(request)).toEqual({ path });
    const id = saeId({ folder: path, part: sae.part });
    expect(id).toBe(pick.part === undefined ? path : `${path}#${pick.part}`);
    // Neither the description nor another SAE of the repository was fetched.
    expect(await findSaeFolders(path)).toContain(id);
    const opened = await openSae(id);
    expect(opened).toMatchObject({ id, release: `${pick.release}/${pick.id}` });
    expect(opened.config.hookName).toBe(pick.hook);
    if (pick.loader !== 'mntss_clt_layer_transcoder') expect(sae.hook).toBe(pick.hook);
    const snapshot = path.slice(0, path.indexOf(commit) + commit.length);
    const fetched = await filesBelow(snapshot);
    expect(fetched).not.toContain('README.md');
    expect([...fetched]).toEqual(expect.arrayContaining([...sae.files.files]));
  });

  it('is refused before anything is fetched where Fovea cannot compute it', async () => {
    const { files, problem } = filesOf('temporal', 'gemma-2-2B/layer_12/temporal');
    expect(problem).toContain('positions before');
    const folder = join(await temporaryFolder(), files.folder);
    await cp(join(fixtures, formats, 'temporal/layer_1/temporal'), folder, { recursive: true });
    expect((await failure(openSae(folder))).message).toContain('positions before');
  });

  it('names a file that the repository lacks, and needs one of the configs', async () => {
    const { server, hub } = await startFixture();
    const repo = 'a/set';
    server.repos.set(repo, { commit, files: { 'layer_2.safetensors': noise(10) } });
    const { files: what } = filesOf('mwhanna_transcoder', 'layer_2.safetensors');
    const lacking = 'file wandb-config.yaml or wanb-config.yaml or config.yaml';
    expect((await failure(hub().planDownload({ repo, what }))).data).toEqual({ repo, what: lacking });
    const other = filesOf('mwhanna_transcoder', 'layer_3.safetensors').files;
    const missing = await failure(hub().planDownload({ repo, what: other }));
    expect(missing.data).toEqual({ repo, what: 'file layer_3.safetensors' });
    const outside = { kind: 'files', folder: '', files: ['../x'] } as const;
    expect((await failure(hub().planDownload({ repo, what: outside }))).code).toBe('request.invalid');
  });
});

describe('an SAE that Python has cached', () => {
  it('is found without the hub, by the files that its release names', async () => {
    const { cache, hub, server } = await startFixture();
    const folder = join(cache, 'models--jbloom--GPT2-Small-SAEs-Reformatted');
    const place = join(folder, 'snapshots', commit, 'blocks.8.hook_resid_pre');
    await cp(join(fixtures, 'saes/standard'), place, { recursive: true });
    await mkdir(join(folder, 'refs'));
    await writeFile(join(folder, 'refs/main'), commit);
    const { repo, files } = await entry(picks[0]!);
    expect(await hub().locateCached({ repo, what: files })).toEqual({ path: place });
    expect(server.seen).toEqual([]);
  });
});

describe('findSaeFolders', () => {
  it('takes the path of a file, of a folder of several or of one SAE', async () => {
    const set = join(fixtures, tracer, 'set');
    const part = `${set}#layer_1.safetensors`;
    expect(await findSaeFolders(join(set, 'layer_1.safetensors'))).toEqual([part]);
    expect(await findSaeFolders(part)).toEqual([part]);
    const goodfire = join(fixtures, formats, 'Llama-3.1-8B-Instruct-SAE-l19');
    const file = 'Llama-3.1-8B-Instruct-SAE-l19.pth';
    expect(await findSaeFolders(join(goodfire, file))).toEqual([`${goodfire}#${file}`]);
    const whole = join(fixtures, 'saes/standard');
    expect(await findSaeFolders(join(whole, 'sae_weights.safetensors'))).toEqual([whole]);
    expect(await findSaeFolders(`${set}#gone.safetensors`)).toEqual([]);
  });
});
