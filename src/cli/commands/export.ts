/** `fovea export`: an experiment as a script for TransformerLens. */

import { resolve } from 'node:path';
import { writeAtomically } from '../../engine/files/writeAtomically.ts';
import { exportScript } from '../../shared/experiment/exportScript.ts';
import { formatText } from '../../shared/format.ts';
import { CommandLineError, textOption } from '../arguments.ts';
import type { Command } from '../context.ts';
import { openExperiment, saidByExperiment } from '../experimentFile.ts';

export const exportCommand: Command = {
  summary: 'write an experiment as a TransformerLens script',
  usage: 'NAME.fovea.json --transformer-lens [--out FILE.py]',
  refuses: saidByExperiment,
  options: {
    'transformer-lens': { type: 'boolean', about: 'as a Python script that gives the same numbers' },
    out: { type: 'string', placeholder: 'FILE', about: 'where to write it (default: the terminal)' },
  },
  async run(context) {
    if (!context.line.options['transformer-lens']) {
      throw new CommandLineError('Say as what to export: --transformer-lens.');
    }
    const { experiment, places } = await openExperiment(context);
    const script = await exportScript(experiment, places, context.call);
    const out = textOption(context.line, 'out');
    if (out === undefined) return context.print({ script }, () => script.trimEnd());
    await writeAtomically(resolve(out), [script]);
    context.print({ file: resolve(out) }, () => `wrote ${formatText(resolve(out))}`);
  },
};
