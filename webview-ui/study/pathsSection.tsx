/** Path patching from the logits backward: one map of all heads for each step. */

import type { JSX } from 'preact';
import { studyHeadName } from '../../src/shared/ioiPaper.ts';
import type { StudiedHead, StudyHead, StudyStage } from '../../src/shared/study.ts';
import { say, strings } from '../lib/strings.ts';
import { palette } from '../lib/theme.ts';
import { EffectLegend } from '../marks/effectLegend.tsx';
import { HeadGrid } from '../marks/headGrid.tsx';
import { pathScale } from './pathScale.ts';
import type { SectionProps } from './studyApp.tsx';
import { className, percent, shortPercent, signedPercent } from './studyFormat.ts';

type Path = keyof StudiedHead['effects'];

interface PathMap {
  readonly path: Path;
  readonly stage: StudyStage;
  readonly title: string;
  /** Why there is nothing to show: no receivers, or none that has a layer below it. */
  readonly nothing?: 'studyNoReceivers' | 'studyNoSenders';
}

/** Nothing before the first step has been measured. */
export function PathsSection({ store, study, has }: SectionProps): JSX.Element | null {
  const { heads, receivers } = study;
  if (!heads || !has('logits')) return null;
  const maps: PathMap[] = [
    { path: 'logits', stage: 'logits', title: strings.studyToLogits },
    { path: 'logitsKnockedOut', stage: 'knockedOut', title: strings.studyToLogitsOut },
    receiving('queries', 'studyToQueries', receivers?.queries),
    receiving('values', 'studyToValues', receivers?.values),
    receiving('keys', 'studyToKeys', receivers?.keys),
  ];
  const shown = maps.filter(({ stage, path }) => has(stage) || (path !== 'logitsKnockedOut' && !has('keys')));
  const drawn = shown.filter(({ nothing, stage }) => has(stage) && nothing === undefined);
  const max = pathScale(
    heads,
    drawn.map(({ path }) => path),
  );
  return (
    <section aria-labelledby="paths">
      <h2 id="paths">{strings.studyPaths}</h2>
      <p class="small quiet">{strings.studyPathsAbout}</p>
      <EffectLegend
        title={strings.studyLogitChange}
        scale={max}
        text={signedPercent}
        down={strings.sweepLegendLoss}
        up={strings.sweepLegendGain}
      />
      <div class="path-maps">
        {shown.map((map) => (
          <OneMap key={map.path} map={map} heads={heads} store={store} max={max} isThere={has(map.stage)} />
        ))}
      </div>
    </section>
  );
}

function receiving(
  path: 'queries' | 'values' | 'keys',
  words: 'studyToQueries' | 'studyToValues' | 'studyToKeys',
  heads: readonly StudyHead[] = [],
): PathMap {
  const names = heads.slice(0, 4).map(studyHeadName).join(', ');
  const more = heads.length > 4 ? ` ${say('studyMore', { count: heads.length - 4 })}` : '';
  const title = say(words, { heads: names + more });
  if (heads.length === 0) return { path, stage: path, title, nothing: 'studyNoReceivers' };
  const isLowest = heads.every(({ layer }) => layer === 0);
  return { path, stage: path, title, ...(isLowest && { nothing: 'studyNoSenders' as const }) };
}

function OneMap(props: {
  readonly map: PathMap;
  readonly heads: readonly StudiedHead[];
  readonly store: SectionProps['store'];
  readonly max: number;
  readonly isThere: boolean;
}): JSX.Element {
  const { map, heads, store, max, isThere } = props;
  const { path, title } = map;
  const nHeads = 1 + heads.reduce((most, { head }) => Math.max(most, head), 0);
  const nLayers = heads.length / nHeads;
  const effectOf = (layer: number, head: number): number => heads[layer * nHeads + head]?.effects[path] ?? 0;
  const describe = (layer: number, head: number): string => {
    const found = heads[layer * nHeads + head];
    const cell = say('studyCell', { head: `${layer}.${head}`, value: percent(effectOf(layer, head)) });
    return found?.class ? `${cell}, ${className(found.class)}` : cell;
  };
  return (
    <figure class="path-map" data-path={path}>
      <figcaption>
        <span class="path-title">
          {isThere && map.nothing === 'studyNoReceivers' ? pathName(path) : title}
        </span>
      </figcaption>
      {isThere && map.nothing === undefined ? (
        <div class="path-scroll">
          <HeadGrid
            label={say('studyGridLabel', { path: title })}
            nLayers={nLayers}
            nHeads={nHeads}
            value={effectOf}
            max={max}
            text={shortPercent}
            describe={describe}
            palette={palette.value}
            selected={store.head.value}
            onSelect={(layer, head) => store.choose({ layer, head })}
          />
        </div>
      ) : (
        <p class="small quiet">{isThere && map.nothing ? strings[map.nothing] : strings.studyWaiting}</p>
      )}
    </figure>
  );
}

function pathName(path: Path): string {
  const names = { queries: 'stageQueries', values: 'stageValues', keys: 'stageKeys' } as const;
  return path in names ? strings[names[path as keyof typeof names]] : strings.studyToLogits;
}
