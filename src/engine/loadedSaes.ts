/** The SAEs that are open, with what is known of their features. */

import { realpath } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
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
import { labelSourceOf } from '../shared/labelSource.ts';
import { type SaeCheck, type SaeConvention, saidIn, subjectKey } from '../shared/saeCheck.ts';
import type { LabelStore } from './labels/labelStore.ts';
import type { CircuitSae } from './method/circuitInputs.ts';
import { availableMemory } from './model/memory.ts';
import { checkSaeUsable, infoOf } from './sae/catalog.ts';
import { departuresFrom } from './sae/check/conventions.ts';
import { withConvention } from './sae/convention.ts';
import { type FeatureStatistics, tellFeatureStatistics } from './sae/featureStatistics.ts';
import { kindOf } from './sae/format.ts';
import { openSae } from './sae/formats/registry.ts';
import { checkSaeMemory } from './sae/saeMemory.ts';
import { SparseAutoencoder } from './sae/sparseAutoencoder.ts';

interface Entry {
  readonly sae: SparseAutoencoder;
  readonly info: SaeInfo;
  readonly statistics: FeatureStatistics | undefined;
}

interface Slot {
  /** The open models that use the SAE, the one it was opened for first. */
  readonly owners: Set<ModelId>;
  readonly loading: Promise<Entry>;
  /** Present when it has finished loading, for questions that cannot wait. */
  entry?: Entry;
}

/** Checks that are remembered; the oldest go first. */
const mostChecks = 500;

/** Opens SAEs once and answers for them. Identified as `SaeId` says. */
export class LoadedSaes {
  private readonly slots = new Map<SaeId, Slot>();
  /** Of the SAEs that are read otherwise than declared. Outlives closing: the user's choice stays. */
  private readonly conventions = new Map<SaeId, SaeConvention>();
  /** What was measured, by `subjectKey`: of another model, beginning of prompts or reading it says nothing. */
  private readonly checks = new Map<string, SaeCheck>();
  /** Forgotten ones, which runs that are under way or kept may still use; see `freeRetired`. */
  private readonly retired = new Set<Slot>();

  constructor(
    private readonly labels: LabelStore,
    private readonly threads?: number,
  ) {}

  /**
   * The SAE `id`, opened for `model`.
   * @throws as `openSae`; sae.mismatch when it does not fit the model.
   */
  async open(id: SaeId, model: ModelInfo): Promise<SparseAutoencoder> {
    return (await this.entry(id, model)).sae;
  }

  /** The model that the SAE was opened for; undefined when it is not open. */
  modelOf(id: SaeId): ModelId | undefined {
    const [owner] = this.slots.get(id)?.owners ?? [];
    return owner;
  }

  async provenance(id: SaeId, model: ModelInfo): Promise<Provenance['saes'][number]> {
    const { info, sae } = await this.entry(id, model);
    const { hook, hash, prependBos, convention, release, masksFirst } = info;
    const { centerInput, inputScale = 1 } = sae.config;
    const check = this.checkOf(info, model);
    return {
      hook,
      hash,
      prependBos,
      ...(convention && { convention }),
      ...(release !== undefined && { release }),
      ...(centerInput && { centered: true }),
      ...(inputScale !== 1 && { scale: inputScale }),
      ...(masksFirst && { masksFirst }),
      ...(check && { verdict: check.verdict, explainedVariance: check.current.explainedVariance }),
    };
  }

  /** How the SAE is read; as declared for one that nobody has spoken of. */
  convention(id: SaeId): SaeConvention {
    return this.conventions.get(id) ?? {};
  }

  /** What was measured of the SAE as it is read now, on this model with its present beginning of prompts. */
  checkOf(sae: SaeInfo, { hash: model, bos }: ModelInfo): SaeCheck | undefined {
    const { hash, release, convention } = sae;
    return this.checks.get(subjectKey({ model, bos, sae: hash, release }, convention));
  }

  /**
   * Reads the SAE by `convention` from now on; `check` was measured under it. How prompts begin is the model's
   * affair, so that part of a convention is left out.
   * @throws as `openSae`; request.invalid when the SAE cannot be read this way.
   */
  async configure(id: SaeId, given: SaeConvention, check?: SaeCheck): Promise<void> {
    if (check) this.checked(check);
    const { prependBos: _, ...convention } = saidIn(given);
    if (isDeepStrictEqual(this.convention(id), convention)) return;
    const declared = await openSae(id);
    withConvention(declared, convention);
    const departures = departuresFrom(declared, convention);
    if (isDeepStrictEqual(this.convention(id), departures)) return;
    this.conventions.set(id, departures);
    await this.forget(id);
  }

  /** Keeps what was measured. */
  checked(check: SaeCheck): void {
    const key = subjectKey(check.of, check.current.convention);
    this.checks.delete(key);
    this.checks.set(key, check);
    for (const oldest of this.checks.keys()) {
      if (this.checks.size <= mostChecks) break;
      this.checks.delete(oldest);
    }
  }

  /** SAEs as nodes of a circuit; only those on the stream and on whole attention and MLP outputs can be. */
  async forCircuit(ids: readonly SaeId[], model: ModelInfo): Promise<CircuitSae[]> {
    const sites: CircuitSae[] = [];
    for (const id of ids) {
      const { sae, info } = await this.entry(id, model);
      if (kindOf(sae.config) !== 'sae') {
        throw new EngineError('request.invalid', {
          what: `The transcoder at ${info.hook}`,
          reason: 'circuits take SAEs, whose output stands for their input; choose one of those',
        });
      }
      if (!/hook_(resid_pre|resid_post|attn_out|mlp_out)$/.test(info.hook)) {
        throw new EngineError('request.invalid', {
          what: `The SAE at ${info.hook}`,
          reason: 'circuits take SAEs at hook_resid_pre, hook_resid_post, hook_attn_out and hook_mlp_out',
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
    const entry = await this.slots.get(id)?.loading;
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
    const entry = this.slots.get(sae)?.entry;
    if (!entry) return {};
    const told = this.labels.labelOf(labelSourceOf(entry.info), index);
    if (told) return { label: told.text, labelSource: told.origin };
    const label = entry.statistics?.labels[index];
    return label ? { label, labelSource: entry.statistics?.labelSource } : {};
  }

  /** Closes the SAEs that no open model but this one uses. Nothing may be under way on the model any more. */
  async releaseUnder(model: ModelInfo): Promise<void> {
    for (const [id, slot] of this.slots) {
      slot.owners.delete(model.id);
      if (slot.owners.size === 0) this.slots.delete(id);
      if (slot.owners.size === 0) await free(slot);
    }
    for (const slot of this.retired) {
      slot.owners.delete(model.id);
      if (slot.owners.size === 0) this.retired.delete(slot);
      if (slot.owners.size === 0) await free(slot);
    }
  }

  /** Frees forgotten SAEs but those in `kept`. To be called when no call is under way. */
  async freeRetired(kept: ReadonlySet<SparseAutoencoder>): Promise<void> {
    for (const slot of this.retired) {
      if (slot.entry && kept.has(slot.entry.sae)) continue;
      this.retired.delete(slot);
      await free(slot);
    }
  }

  /** SAEs that are held open, forgotten ones among them. */
  get size(): number {
    return this.slots.size + this.retired.size;
  }

  /** To be called when the SAE in `folder` was written anew: the next one who asks opens it again. */
  async forget(folder: string): Promise<void> {
    const id = await realpath(folder).catch(() => folder);
    const slot = this.slots.get(id);
    if (!slot) return;
    this.slots.delete(id);
    this.retired.add(slot);
  }

  private async entry(id: SaeId, model: ModelInfo): Promise<Entry> {
    const slot = this.slots.get(id) ?? this.start(id);
    slot.owners.add(model.id);
    const entry = await slot.loading;
    try {
      checkSaeUsable(entry.sae.folder, model);
    } catch (error) {
      slot.owners.delete(model.id);
      if (slot.owners.size === 0 && this.slots.get(id) === slot) this.slots.delete(id);
      throw error;
    }
    return entry;
  }

  private start(id: SaeId): Slot {
    const slot: Slot = { owners: new Set(), loading: this.load(id) };
    this.slots.set(id, slot);
    slot.loading.then(
      (entry) => {
        slot.entry = entry;
      },
      () => {
        if (this.slots.get(id) === slot) this.slots.delete(id);
      },
    );
    return slot;
  }

  private async load(id: SaeId): Promise<Entry> {
    const folder = withConvention(await openSae(id), this.convention(id));
    checkSaeMemory(folder, await availableMemory());
    const isWhole = folder.id === folder.path;
    const info = await infoOf(folder);
    await this.labels.tryLoad(labelSourceOf(info));
    return {
      sae: new SparseAutoencoder(folder, this.threads),
      info,
      statistics: isWhole
        ? (await tellFeatureStatistics(folder.path, folder.config.dSae)).statistics
        : undefined,
    };
  }
}

/** One that failed to load holds nothing to free. */
async function free({ loading }: Slot): Promise<void> {
  const entry = await loading.catch(() => undefined);
  await entry?.sae.release();
}
