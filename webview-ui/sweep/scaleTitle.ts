/** What effects of a sweep are measured in, for its legend and its picture. Pure. */

import { isChange, restingValue } from '../../src/shared/sweepCell.ts';
import { say } from '../lib/strings.ts';
import { metricName, type WordedSweep } from './cellWords.ts';

/** What an effect is, with the prompts that give its ends. */
export function scaleTitle({ other, outline, question }: WordedSweep): string {
  const metric = metricName(outline.metric);
  const patched = restingValue(question) === 1 ? 'sweepLegendNoising' : 'sweepLegendPatch';
  const scale = say(isChange(question) ? 'sweepLegendChange' : patched, { metric });
  return other ? say('sweepLegendOther', { scale }) : scale;
}
