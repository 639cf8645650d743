/** `fovea check`: whether Fovea reads a model as other libraries do. */

import type { ModelInfo } from '../../shared/domain.ts';
import { formatText } from '../../shared/format.ts';
import { parityVerdict } from '../../shared/parityVerdict.ts';
import { CommandLineError } from '../arguments.ts';
import { type Command, openModel } from '../context.ts';

export const check: Command = {
  summary: 'whether Fovea reads a model as other libraries do',
  usage: '[options]',
  options: {},
  async run(context) {
    if (context.line.words.length > 0) throw new CommandLineError('Name the model with --model FOLDER.');
    const model = await openModel(context);
    const { name, family, precision, hash, parity } = model;
    const verdict = parityVerdict(parity);
    context.print({ model: name, family, precision, hash, verdict, parity }, () =>
      describe(model).join('\n'),
    );
  },
};

function describe(model: ModelInfo): string[] {
  const { parity } = model;
  const lines = [[model.name, model.family, model.precision].map((text) => formatText(text)).join(' · ')];
  if (parity.compared === 'none') lines.push('Not compared with another library.');
  if (parity.compared === 'family') {
    lines.push('Small models of its family were compared; these weights were not.');
  }
  if (parity.compared === 'model') lines.push('These very weights were compared.');
  if (parity.reference !== undefined) {
    lines.push(
      `${formatText(parity.reference)}: largest difference of a logit ${inShort(parity.worstLogit)}`,
    );
  }
  if (parity.hookReference !== undefined) {
    const worst = inShort(parity.worstHook);
    lines.push(`${formatText(parity.hookReference)}: largest difference of a hook ${worst} of its range`);
  }
  if (parityVerdict(parity) === 'different') {
    lines.push(
      'That is more than rounding: the numbers shown for this model are not those of the reference.',
    );
  }
  if (parity.problem !== undefined) lines.push(formatText(parity.problem));
  return lines;
}

function inShort(difference: number | undefined): string {
  return difference === undefined ? 'unknown' : difference.toExponential(1);
}
