/** Whether S-inhibition heads say which name to avoid, or which position. */

import type { JSX } from 'preact';
import { paperFigures } from '../../src/shared/ioiPaper.ts';
import type { StudySignals } from '../../src/shared/study.ts';
import { signedFill } from '../lib/color.ts';
import { say, strings } from '../lib/strings.ts';
import { palette } from '../lib/theme.ts';
import type { SectionProps } from './studyApp.tsx';
import { decimal, percent } from './studyFormat.ts';

const tokenWords = {
  '1': strings.studyOriginal,
  '0': strings.studyRandom,
  '-1': strings.studyInverted,
} as const;

/** Nothing before it has been measured, or it is known that there is nothing to measure. */
export function SignalsSection({
  study,
  isOver,
}: SectionProps & { readonly isOver: boolean }): JSX.Element | null {
  const { signals } = study;
  if (!signals && !isOver) return null;
  return (
    <section aria-labelledby="signals">
      <h2 id="signals">{strings.studySignals}</h2>
      {signals ? <Signals signals={signals} /> : <p class="quiet">{strings.studySignalsNone}</p>}
    </section>
  );
}

function Signals({ signals }: { readonly signals: StudySignals }): JSX.Element {
  const most = Math.max(0.01, ...signals.variants.map(({ logitDifference }) => Math.abs(logitDifference)));
  const { signalFit } = paperFigures;
  const fitWords = (fit: { readonly position: number; readonly token: number; readonly error: number }) =>
    say('studyFit', {
      position: decimal(fit.position),
      token: decimal(fit.token),
      error: percent(fit.error),
    });
  return (
    <>
      <p class="small quiet">{say('studySignalsAbout', { count: signals.pairs })}</p>
      <table class="figures signals" aria-label={strings.studySignals}>
        <thead>
          <tr>
            <td />
            <th scope="colgroup" colSpan={2} class="group">
              {strings.studyPosition}
            </th>
          </tr>
          <tr>
            <th scope="col">{strings.studyToken}</th>
            <th scope="col" class="number">
              {strings.studyOriginal}
            </th>
            <th scope="col" class="number">
              {strings.studyInverted}
            </th>
          </tr>
        </thead>
        <tbody>
          {([1, 0, -1] as const).map((token) => (
            <tr key={token}>
              <th scope="row">{tokenWords[`${token}`]}</th>
              {([1, -1] as const).map((position) => {
                const at = signals.variants.findIndex(
                  (variant) => variant.token === token && variant.position === position,
                );
                const value = signals.variants[at]?.logitDifference ?? 0;
                const fill = signedFill((0.6 * value) / most, palette.value);
                return (
                  <td
                    key={position}
                    class="number signal"
                    style={{ backgroundColor: fill.background, color: fill.text }}
                  >
                    {decimal(value)}
                    <span class="small signal-paper">
                      {say('studyInPaper', { value: decimal(paperFigures.signals[at] ?? 0) })}
                    </span>
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
      <p>
        <span class="quiet">{strings.studyFitLabel}: </span>
        {fitWords(signals)}
      </p>
      <p class="paper">
        <span class="quiet">{strings.studyPaper}: </span>
        {fitWords(signalFit)}
      </p>
    </>
  );
}
