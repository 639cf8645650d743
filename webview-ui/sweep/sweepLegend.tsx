/** What the colors of the heat map measure. */

import type { JSX } from 'preact';
import { formatSigned } from '../../src/shared/format.ts';
import { isChange, restingValue } from '../../src/shared/sweepCell.ts';
import { strings } from '../lib/strings.ts';
import { EffectLegend } from '../marks/effectLegend.tsx';
import { hasMore } from './cellEffects.ts';
import type { WordedSweep } from './cellWords.ts';
import { scaleTitle } from './scaleTitle.ts';

/** The scale, and what a cell without color is, as long as there are such cells. */
export function SweepLegend(props: { readonly sweep: WordedSweep; readonly scale: number }): JSX.Element {
  const { scale, sweep } = props;
  const isLoss = isChange(sweep.question) || restingValue(sweep.question) === 1;
  const plain = isLoss
    ? [strings.sweepLegendLoss, strings.sweepLegendGain]
    : [strings.sweepLegendDown, strings.sweepLegendUp];
  const [down = '', up = ''] = sweep.other ? [strings.sweepLegendLess, strings.sweepLegendMore] : plain;
  const plainText = (effect: number): string =>
    isChange(sweep.question) ? `${formatSigned(100 * effect)} %` : formatSigned(effect);
  const isCut = hasMore(sweep.values, restingValue(sweep.question), scale);
  const text = (effect: number): string => {
    if (!isCut || Math.abs(effect) < scale) return plainText(effect);
    return `${effect < 0 ? '≤' : '≥'} ${plainText(effect)}`;
  };
  return (
    <div class="sweep-legend">
      <EffectLegend title={scaleTitle(sweep)} scale={scale} text={text} down={down} up={up} />
      {sweep.values.some(Number.isNaN) && (
        <span class="sweep-unknown small quiet">
          <i class="heat-unknown" aria-hidden="true" /> {strings.sweepLegendUnknown}
        </span>
      )}
    </div>
  );
}
