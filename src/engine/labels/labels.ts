/** What the engine answers about labels: imports, searches, and what the user wrote. */

import type { CallOptions } from '../../shared/callOptions.ts';
import type { SaeId, SaeInfo } from '../../shared/domain.ts';
import type { FeatureLabel, FoundLabel, LabelApi, LabelImport } from '../../shared/labelApi.ts';
import { labelSourceOf } from '../../shared/labelSource.ts';
import { readFeatureStatistics } from '../sae/featureStatistics.ts';
import { fetchLabels } from './fetchLabels.ts';
import { readLabelFiles } from './importLabels.ts';
import type { LabelStore, SearchedSource } from './labelStore.ts';

type Request<Method extends keyof LabelApi> = Parameters<LabelApi[Method]>[0];

/** See `LabelApi`. */
export class Labels implements LabelApi {
  /**
   * @param store where they are kept
   * @param infoOf what is known of an SAE that was listed
   */
  constructor(
    private readonly store: LabelStore,
    private readonly infoOf: (id: SaeId) => SaeInfo | undefined,
  ) {}

  async importLabels(
    { paths, source }: Request<'importLabels'>,
    call: CallOptions = {},
  ): Promise<readonly LabelImport[]> {
    const { rows, skipped } = await readLabelFiles(paths, source, call);
    return this.store.add(rows, skipped);
  }

  async fetchLabels(request: Request<'fetchLabels'>, call: CallOptions = {}): Promise<LabelImport> {
    let labels = 0;
    await fetchLabels(request, call, async (rows) => {
      for (const added of await this.store.add(rows)) labels += added.labels;
    });
    return { source: request.source, labels, skipped: 0 };
  }

  async searchLabels(
    { text, saes, limit }: Request<'searchLabels'>,
    call: CallOptions = {},
  ): Promise<readonly FoundLabel[]> {
    const infos = saes.flatMap((id) => this.infoOf(id) ?? []);
    const ids = new Map(infos.map((info) => [labelSourceOf(info), info.id]));
    const sources: SearchedSource[] = [];
    for (const info of infos) sources.push(await searched(info));
    const found = await this.store.find(text, sources, limit, call);
    return found.map((label) => {
      const sae = ids.get(label.source);
      return sae === undefined ? label : { ...label, feature: { sae, index: label.index } };
    });
  }

  setUserLabels({ labels }: Request<'setUserLabels'>, _call?: CallOptions): Promise<void> {
    return this.store.setUserLabels(labels);
  }

  labelSources(_request: Request<'labelSources'>, _call?: CallOptions): ReturnType<LabelApi['labelSources']> {
    return this.store.describe();
  }
}

/** An SAE with the labels that its own files hold; a damaged file of labels is told where the SAE is opened. */
async function searched(info: SaeInfo): Promise<SearchedSource> {
  const source = labelSourceOf(info);
  const isWhole = info.id === info.path;
  const statistics = isWhole
    ? await readFeatureStatistics(info.path, info.dSae).catch(() => undefined)
    : undefined;
  const origin = statistics?.labelSource ?? '';
  const builtIn: FeatureLabel[] = (statistics?.labels ?? []).flatMap((text, index) =>
    text === '' ? [] : [{ source, index, text, origin }],
  );
  return { source, builtIn };
}
