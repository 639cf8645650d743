/** All labels of features: the user's own, imported ones, and those that SAEs bring along. */

import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { CallOptions } from '../../shared/callOptions.ts';
import { EngineError, isEngineError, throwIfCancelled } from '../../shared/errors.ts';
import { formatText } from '../../shared/format.ts';
import type { FeatureLabel, LabelImport } from '../../shared/labelApi.ts';
import {
  labelPath,
  listLabelSources,
  mergeLabels,
  readLabels,
  type SourceLabels,
  writeLabels,
} from './labelFile.ts';
import { LabelSearch } from './labelSearch.ts';
import type { LabelRow } from './neuronpediaRows.ts';

/** An SAE whose labels are searched: what it is called as a source, and the labels its own files hold. */
export interface SearchedSource {
  readonly source: string;
  readonly builtIn: readonly FeatureLabel[];
}

/** What `labelSources` tells of one author of one source. */
export interface LabelSourceInfo {
  readonly source: string;
  readonly labels: number;
  readonly origin: string;
}

const userGroup = 'yours';

/** Keeps imported labels as files below a folder. One is made per engine. */
export class LabelStore {
  private readonly folder: string;
  private readonly sources = new Map<string, SourceLabels>();
  /** Labels by source and index; of several authors, the first. */
  private readonly known = new Map<string, ReadonlyMap<number, FeatureLabel>>();
  private readonly own = new Map<string, Map<number, FeatureLabel>>();
  private search: Promise<LabelSearch> | undefined;
  /** Files are changed by one import after the other. */
  private writing: Promise<unknown> = Promise.resolve();

  /** @param storage see `defaultStorage` */
  constructor(storage: string) {
    this.folder = join(storage, 'labels');
  }

  /** Reads what is kept of a source, so that `labelOf` knows it. */
  async load(source: string): Promise<void> {
    if (!this.sources.has(source)) this.accept(await this.read(source));
  }

  /** As `load`, but tells what is wrong with a file of labels: features can be shown without. */
  async tryLoad(source: string): Promise<string | undefined> {
    try {
      await this.load(source);
      return undefined;
    } catch (error) {
      if (!(error instanceof EngineError) && !isRefused(error)) throw error;
      return formatText(error.message);
    }
  }

  /** The label of a feature: the user's own, else an imported one of a source that was loaded. */
  labelOf(source: string, index: number): FeatureLabel | undefined {
    return this.own.get(source)?.get(index) ?? this.known.get(source)?.get(index);
  }

  /** The author whose labels of a loaded source come first. */
  originOf(source: string): string | undefined {
    return this.sources.get(source)?.origins[0]?.origin;
  }

  /** Adds rows to what is kept, and tells how many each source got. `skipped` counts damaged lines by source. */
  add(rows: Iterable<LabelRow>, skipped = 0): Promise<readonly LabelImport[]> {
    const added = this.writing.then(() => this.addNow(rows, skipped));
    this.writing = added.catch(() => undefined);
    return added;
  }

  /** The user's own labels, in place of those told before. */
  async setUserLabels(labels: readonly FeatureLabel[]): Promise<void> {
    this.own.clear();
    for (const label of labels) {
      const ofSource = this.own.get(label.source) ?? new Map<number, FeatureLabel>();
      this.own.set(label.source, ofSource.set(label.index, label));
    }
    if (this.search) (await this.search).replace(userGroup, labels);
  }

  /**
   * Labels that speak of `text`: first the user's and those of `sources`, then other kept ones of the same models.
   * @throws cancelled
   */
  async find(
    text: string,
    sources: readonly SearchedSource[],
    limit: number,
    { signal, report }: CallOptions = {},
  ): Promise<FeatureLabel[]> {
    const search = await this.openSearch();
    const others = await this.othersOfSameModels(sources.map(({ source }) => source));
    const all = [...sources, ...others.map((source) => ({ source, builtIn: [] }))];
    for (const [i, { source, builtIn }] of all.entries()) {
      throwIfCancelled(signal);
      if (search.has(source)) continue;
      report?.({ done: i, total: all.length, what: 'Reading labels' });
      await this.load(source);
      search.replace(source, this.everyLabel(source, builtIn));
    }
    throwIfCancelled(signal);
    const wanted = new Set(sources.map(({ source }) => source));
    const found = search.find(text, limit * 4);
    const first = (label: FeatureLabel) => wanted.has(label.source) || this.own.has(label.source);
    return [...found.filter(first), ...found.filter((label) => !first(label))].slice(0, limit);
  }

  /** What is kept, with the numbers of labels; the user's own among them. */
  async describe(): Promise<LabelSourceInfo[]> {
    const infos: LabelSourceInfo[] = [];
    for (const [source, labels] of this.own) infos.push({ source, labels: labels.size, origin: userGroup });
    for (const source of await listLabelSources(this.folder)) {
      await this.load(source);
      for (const { origin, labels } of this.sources.get(source)?.origins ?? []) {
        infos.push({ source, labels: labels.length, origin });
      }
    }
    return infos;
  }

  async close(): Promise<void> {
    (await this.search)?.close();
    this.search = undefined;
  }

  private async addNow(rows: Iterable<LabelRow>, skipped: number): Promise<readonly LabelImport[]> {
    const bySource = groupRows(rows);
    const imports: LabelImport[] = [];
    for (const [source, origins] of bySource) {
      // Another window may have imported meanwhile.
      let kept = await this.read(source);
      let labels = 0;
      for (const [origin, added] of origins) {
        kept = mergeLabels(kept, origin, added);
        labels += added.size;
      }
      await writeLabels(this.folder, kept);
      this.accept(kept);
      // The next search puts the source in anew, with the labels that its SAE brings along.
      if (this.search) (await this.search).drop(source);
      imports.push({ source, labels, skipped: imports.length === 0 ? skipped : 0 });
    }
    return imports;
  }

  /** A damaged file is put aside, so that it neither stops anything nor is lost. @throws file.unreadable */
  private async read(source: string): Promise<SourceLabels> {
    try {
      return (await readLabels(this.folder, source)) ?? { source, origins: [] };
    } catch (error) {
      if (!isEngineError(error, 'file.malformed')) throw error;
      const path = labelPath(this.folder, source);
      await rename(path, `${path}.damaged`);
      return { source, origins: [] };
    }
  }

  private accept(labels: SourceLabels): void {
    const { source } = labels;
    const byIndex = new Map<number, FeatureLabel>();
    for (const { origin, labels: pairs } of labels.origins) {
      for (const [index, text] of pairs) {
        if (!byIndex.has(index)) byIndex.set(index, { source, index, text, origin });
      }
    }
    this.sources.set(source, labels);
    this.known.set(source, byIndex);
  }

  private everyLabel(source: string, builtIn: readonly FeatureLabel[]): FeatureLabel[] {
    const imported = this.sources.get(source)?.origins ?? [];
    const labels = imported.flatMap(({ origin, labels: pairs }) =>
      pairs.map(([index, text]) => ({ source, index, text, origin })),
    );
    return [...labels, ...builtIn];
  }

  private openSearch(): Promise<LabelSearch> {
    this.search ??= LabelSearch.open().then((search) => {
      search.replace(
        userGroup,
        [...this.own.values()].flatMap((labels) => [...labels.values()]),
      );
      return search;
    });
    return this.search;
  }

  private async othersOfSameModels(sources: readonly string[]): Promise<string[]> {
    const models = new Set(sources.filter((source) => source.includes('/')).map(modelOf));
    const kept = await listLabelSources(this.folder);
    return kept.filter((source) => models.has(modelOf(source)) && !sources.includes(source));
  }
}

function modelOf(source: string): string {
  return source.slice(0, source.indexOf('/'));
}

function groupRows(rows: Iterable<LabelRow>): Map<string, Map<string, Map<number, string>>> {
  const bySource = new Map<string, Map<string, Map<number, string>>>();
  for (const { source, origin, index, text } of rows) {
    const origins = bySource.get(source) ?? new Map<string, Map<number, string>>();
    const labels = origins.get(origin) ?? new Map<number, string>();
    bySource.set(source, origins.set(origin, labels.set(index, text)));
  }
  return bySource;
}

/** True for what the file system refuses. */
function isRefused(error: unknown): error is Error {
  return error instanceof Error && 'syscall' in error;
}
