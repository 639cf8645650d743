/** Attention against effect, head by head: what is looked at, and what comes of it. */

import type { JSX } from 'preact';
import { classTitles, studyHeadName } from '../../src/shared/ioiPaper.ts';
import type { IoiHeadClass, StudiedHead } from '../../src/shared/study.ts';
import { say, strings } from '../lib/strings.ts';
import { type Glyph, ScatterKey, ScatterPlot, type ScatterPoint } from '../marks/scatterPlot.tsx';
import { className, decimal, percent } from './studyFormat.ts';

/** Heads whose names are written beside them, at most, and the share of the largest effect that they have at least. */
const [named, namedShare] = [8, 0.1];

const glyphs: Readonly<Partial<Record<IoiHeadClass, Glyph>>> = {
  nameMover: 'triangle',
  negativeNameMover: 'square',
  backupNameMover: 'circle',
  sInhibition: 'star',
};

interface PlotAxes {
  readonly attention: 'IO' | 'S2';
  readonly effect: 'logits' | 'queries';
  readonly across: string;
  readonly up: string;
}

/** Both plots; the second one as soon as effects through queries are known. */
export function AttentionPlots(props: {
  readonly heads: readonly StudiedHead[];
  readonly hasQueries: boolean;
}): JSX.Element {
  const { heads, hasQueries } = props;
  const kinds = (Object.keys(glyphs) as IoiHeadClass[]).filter((name) =>
    heads.some((head) => head.class === name),
  );
  const toLogits = { attention: 'IO', effect: 'logits' } as const;
  const toQueries = { attention: 'S2', effect: 'queries' } as const;
  return (
    <>
      <h3>{strings.studyAttention}</h3>
      <p class="small quiet">{strings.studyAttentionAbout}</p>
      <div class="attention-plots">
        <Plot
          heads={heads}
          axes={{ ...toLogits, across: strings.studyAcrossIo, up: strings.studyUpLogits }}
        />
        {hasQueries && (
          <Plot
            heads={heads}
            axes={{ ...toQueries, across: strings.studyAcrossS2, up: strings.studyUpQueries }}
          />
        )}
      </div>
      <p class="scatter-legend small">
        {kinds.map((name) => (
          <ScatterKey key={name} glyph={glyphs[name]!} name={classTitles[name]} />
        ))}
        <ScatterKey glyph="dot" name={strings.studyOtherHeads} />
      </p>
    </>
  );
}

function Plot(props: { readonly heads: readonly StudiedHead[]; readonly axes: PlotAxes }): JSX.Element {
  const { heads, axes } = props;
  const { across, attention, effect, up } = axes;
  const ordered = [...heads].sort((a, b) => Math.abs(b.effects[effect]) - Math.abs(a.effects[effect]));
  const least = namedShare * Math.abs(ordered[0]?.effects[effect] ?? 0);
  const points = ordered.map((head, i): ScatterPoint => {
    const name = studyHeadName(head);
    const [x, y] = [head.attention[attention], head.effects[effect]];
    const words = say('studyPoint', { head: name, attention: decimal(x), effect: percent(y) });
    return {
      x,
      y: 100 * y,
      glyph: (head.class && glyphs[head.class]) ?? 'dot',
      title: [words, className(head.class)].filter(Boolean).join(', '),
      ...(i < named && Math.abs(y) > least && { name }),
    };
  });
  const farthest = ordered.slice(0, named).map(studyHeadName).join(', ');
  const label = say('studyAttentionPlot', { count: heads.length, across, up, heads: farthest });
  return <ScatterPlot label={label} across={across} up={up} points={points} />;
}
