/** The gradient rule of every op. The type makes the table total: an op without a rule does not compile. */

import type { Op } from '../opAttributes.ts';
import { elementwiseRules } from './elementwise.ts';
import { layerRules } from './layer.ts';
import { layoutRules } from './layout.ts';
import { pickingRules } from './picking.ts';
import { reductionRules } from './reduction.ts';
import type { GradientRules } from './rule.ts';

export const gradientRules: GradientRules<Op> = {
  ...elementwiseRules,
  ...layoutRules,
  ...pickingRules,
  ...reductionRules,
  ...layerRules,
};
