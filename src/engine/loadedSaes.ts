/** The SAEs that are open, with what is known of their features. */

import type {
  FeatureInfo,
  FeatureRef,
  ModelId,
  ModelInfo,
  Provenance,
  SaeId,
  SaeInfo,
} from '../shared/domain.ts';
import { EngineError } from '../shared/errors.ts';
import type { CircuitSae } from './method/circuitInputs.ts';
import { checkSaeUsable, infoOf } from './sae/catalog.ts';
import { type FeatureStatistics, readFeatureStatistics } from './sae/featureStatistics.ts';
import { openSaeLens } from './sae/saelens.ts';
import { SparseAutoencoder } from './sae/sparseAutoencoder.ts';

interface Entry {
  readonly model: ModelId;
  readonly sae: SparseAutoencoder;
  readonly info: SaeInfo;
  readonly statistics: FeatureStatistics | undefined;
}

/** Opens SAEs once and answers for them. Identified by their folder's real path. */
export class LoadedSaes {
  private readonly entries = new Map<SaeId, Promise<Entry>>();
  /** Entries that have finished loading, for questions that cannot wait. */
  private readonly ready = new Map<SaeId, Entry>();

  constructor(private readonly threads?: number) {}

  /**
   * The SAE in folder `id`, opened for `model`.
   * @throws as `openSaeLens`; sae.mismatch when it does not fit the model.
   */
  async open(id: SaeId, model: ModelInfo): Promise<SparseAutoencoder> {
    return (await this.entry(id, model)).sae;
  }

  /** Model that the SAE was opened for; undefined when it is not open. */
  modelOf(id: SaeId): ModelId | undefined {
    return this.ready.get(id)?.model;
  }

  async provenance(id: SaeId, model: ModelInfo): Promise<Provenance['saes'][number]> {
    const { info } = await this.entry(id, model);
    return { hook: info.hook, hash: info.hash };
  }

  /** SAEs as nodes of a circuit; only those on the stream and on whole attention and MLP outputs can be. */
  async forCircuit(ids: readonly SaeId[], model: ModelInfo): Promise<CircuitSae[]> {
    const sites: CircuitSae[] = [];
    for (const id of ids) {
      const { sae, info } = await this.entry(id, model);
      if (!/hook_(resid_post|attn_out|mlp_out)$/.test(info.hook)) {
        throw new EngineError('request.invalid', {
          what: `The SAE at ${info.hook}`,
          reason: 'circuits take SAEs at hook_resid_post, hook_attn_out and hook_mlp_out',
        });
      }
      if (sites.some(({ hook }) => hook === info.hook)) {
        throw new EngineError('request.invalid', {
          what: `A second SAE at ${info.hook}`,
          reason: 'a circuit takes one SAE for each hook; choose one of them',
        });
      }
      sites.push({ id, sae, hook: info.hook, layer: info.layer });
    }
    return sites;
  }

  /**
   * What is known of a feature without running anything.
   * @throws handle.unknown when its SAE is not open; request.invalid when it has no such feature.
   */
  async featureInfo({ sae: id, index }: FeatureRef): Promise<FeatureInfo> {
    const entry = await this.entries.get(id);
    if (!entry) throw new EngineError('handle.unknown', { what: 'SAE', id });
    const { dSae } = entry.info;
    if (!Number.isInteger(index) || index < 0 || index >= dSae) {
      const reason = `the SAE has features 0 to ${dSae - 1}`;
      throw new EngineError('request.invalid', { what: `Feature ${index}`, reason });
    }
    const { statistics } = entry;
    return {
      sae: id,
      index,
      ...this.labelOf({ sae: id, index }),
      density: statistics?.density[index],
      maxActivation: statistics?.maxActivation[index],
    };
  }

  labelOf({ sae, index }: FeatureRef): { label?: string; labelSource?: string } {
    const statistics = this.ready.get(sae)?.statistics;
    const label = statistics?.labels[index];
    return label ? { label, labelSource: statistics?.labelSource } : {};
  }

  /** Closes the SAEs that were opened for a model. */
  async releaseUnder(model: ModelId): Promise<void> {
    for (const [id, entry] of this.ready) {
      if (entry.model !== model) continue;
      this.entries.delete(id);
      this.ready.delete(id);
      await entry.sae.release();
    }
  }

  private async entry(id: SaeId, model: ModelInfo): Promise<Entry> {
    let loading = this.entries.get(id);
    if (!loading) {
      loading = this.load(id, model);
      this.entries.set(id, loading);
      loading.catch(() => this.entries.delete(id));
    }
    const entry = await loading;
    // Opened for one model, it may be asked for with another.
    if (entry.model !== model.id) checkSaeUsable(entry.sae.folder, model);
    return entry;
  }

  private async load(id: SaeId, model: ModelInfo): Promise<Entry> {
    const folder = await openSaeLens(id);
    checkSaeUsable(folder, model);
    const entry: Entry = {
      model: model.id,
      sae: new SparseAutoencoder(folder, this.threads),
      info: await infoOf(folder),
      statistics: await readFeatureStatistics(folder.path, folder.config.dSae),
    };
    this.ready.set(id, entry);
    return entry;
  }
}
