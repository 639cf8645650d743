/** How the numbers came about, and what to mind. */

import type { JSX } from 'preact';
import { Icon } from '../lib/icon.tsx';
import { say, strings } from '../lib/strings.ts';
import type { SectionProps } from './studyApp.tsx';

/** Means over fewer prompts are noisy. */
const fewPrompts = 5;

/** Stands at the end of the report. */
export function MethodSection({ study }: SectionProps): JSX.Element {
  const { smallestTemplate } = study;
  return (
    <section aria-labelledby="method">
      <h2 id="method">{strings.studyHow}</h2>
      <p class="quiet">{say('studyHowPaths', { count: smallestTemplate })}</p>
      {smallestTemplate < fewPrompts && (
        <p class="notice">
          <Icon name="warning" />
          <span>{strings.studyFew}</span>
        </p>
      )}
    </section>
  );
}
