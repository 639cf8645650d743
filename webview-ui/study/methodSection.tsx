/** How the numbers came about. */

import type { JSX } from 'preact';
import { say, strings } from '../lib/strings.ts';
import type { SectionProps } from './studyApp.tsx';

/** Stands at the end of the report. */
export function MethodSection({ study }: SectionProps): JSX.Element {
  const { smallestTemplate } = study;
  return (
    <section aria-labelledby="method">
      <h2 id="method">{strings.studyHow}</h2>
      <p class="quiet">{say('studyHowPaths', { count: smallestTemplate })}</p>
    </section>
  );
}
