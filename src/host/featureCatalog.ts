/** What is known of features (labels, densities), kept so that hovers and lists answer without asking the engine. */

import type { FeatureInfo, FeatureRef } from '../shared/domain.ts';
import type { EngineApi } from '../shared/engineApi.ts';

/** Beyond this many features the oldest are forgotten. */
const mostFeatures = 20_000;

/** The features seen so far. */
export class FeatureCatalog {
  private readonly known = new Map<string, FeatureInfo>();

  constructor(private readonly engine: EngineApi) {}

  /** What is known without asking. */
  get(feature: FeatureRef): FeatureInfo {
    return this.known.get(featureKey(feature)) ?? { sae: feature.sae, index: feature.index };
  }

  /** Asks for those features that are not known yet. Answers whether anything new came. */
  async learn(features: readonly FeatureRef[], signal?: AbortSignal): Promise<boolean> {
    const missing = new Map<string, FeatureRef>();
    for (const feature of features) {
      const key = featureKey(feature);
      if (!this.known.has(key)) missing.set(key, { sae: feature.sae, index: feature.index });
    }
    if (missing.size === 0) return false;
    const infos = await this.engine.featureInfo(
      { features: [...missing.values()], logits: false },
      { signal },
    );
    for (const info of infos) this.keep(info);
    return infos.length > 0;
  }

  /** Asks for everything about one feature, its logits included. */
  async describe(feature: FeatureRef, signal?: AbortSignal): Promise<FeatureInfo> {
    const known = this.known.get(featureKey(feature));
    if (known?.topLogits) return known;
    const [info] = await this.engine.featureInfo({ features: [feature], logits: true }, { signal });
    if (!info) return this.get(feature);
    this.keep(info);
    return info;
  }

  clear(): void {
    this.known.clear();
  }

  private keep(info: FeatureInfo): void {
    this.known.set(featureKey(info), info);
    if (this.known.size <= mostFeatures) return;
    const oldest = this.known.keys().next().value;
    if (oldest !== undefined) this.known.delete(oldest);
  }
}

/** Text that identifies a feature. */
export function featureKey(feature: FeatureRef): string {
  return `${feature.sae}#${feature.index}`;
}

/** Whether two references mean the same feature. */
export function isSameFeature(one: FeatureRef | undefined, other: FeatureRef | undefined): boolean {
  return one?.sae === other?.sae && one?.index === other?.index;
}
