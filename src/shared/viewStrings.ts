/**
 * Every sentence the webviews show, in English. The host hands over translations under the same keys;
 * a missing key falls back to the text here. `{name}` marks a place that is filled in.
 */

import { circuitStrings } from './circuitStrings.ts';
import { shiftStrings } from './shiftStrings.ts';
import { studyStrings } from './studyStrings.ts';
import { sweepStrings } from './sweepStrings.ts';

const defaults = {
  computing: 'Computing…',
  connecting: 'Waiting for the model…',
  failed: 'Fovea could not get an answer: {reason}',
  tryAgain: 'Try Again',
  cancel: 'Cancel',

  tokensHeading: 'Tokens of {title}',
  countOneToken: '1 token',
  countTokens: '{count} tokens',
  saeSelect: 'SAE whose features are shown',
  saeNone: 'No SAE',
  timing: '{time} · {reused} positions reused',
  timingTitle: 'Time of the last run, and how many positions it took over from the run before.',
  truncated: 'The prompt is longer than the model’s context. It reads characters {start} to {end}.',
  inexact: 'Some tokens could not be placed exactly in the text.',

  contrastOver: '{answer} over {wrong}',
  contrastLabel: 'logit difference',
  contrastSet: 'Compare Two Answers…',
  contrastChange: 'Change…',
  contrastEdited: 'with interventions {value}',
  kl: 'KL {value} nats',
  klTitle: 'KL divergence from the run without interventions to the run with them, at the last position.',
  oneIntervention: '1 intervention',
  manyInterventions: '{count} interventions',
  undo: 'Undo',
  clear: 'Clear',

  stripLabel: 'Tokens. Arrow keys move, Enter opens the strongest feature, Escape clears the pin.',
  chipLabel: 'token {token}, position {position}',
  chipActivation: ', activation {value}',
  chipProbability: ', probability {value}',
  chipOther: ', other prompt {token}',
  chipMissing: 'none',
  chipDiffers: ', differs',
  chipSpecial: ', put before the text by the model’s tokenizer',
  chipMarker: ', a special token',
  legendStrongest: 'Strongest feature of each token',
  legendUnderline: 'underline: probability it was given',
  legendDiffers: 'boxed: differs from the other prompt',
  readoutPosition: 'position {position}',
  readoutId: 'id {id}',
  readoutActivation: 'activation {value}',
  readoutGiven: 'was given {value}',
  readoutAttends: 'attends to {token} most ({head}, {value})',
  readoutSpecial: 'put before the text',
  readoutMarker: 'special token',
  readoutNone: 'Select a token to see what the model computes there.',
  pinned: 'Pinned',
  unpinNamed: 'Unpin {name}',

  tabsLabel: 'Views of the selected token',
  tabFeatures: 'Features',
  tabNext: 'Next Token',
  tabLens: 'Logit Lens',
  tabAttention: 'Attention',
  tabAttribution: 'Attribution',
  noSelection: 'Select a token above.',

  featuresOf: 'Strongest features on {token}',
  featuresNone: 'No feature is active on this token.',
  featuresNoSae: 'Choose an SAE to see the features of this token.',
  chooseSae: 'Choose SAE…',
  featureName: 'Feature {index}',
  featureUnlabelled: 'no label yet',
  activation: 'activation',
  labelSource: 'label: {source}',
  pin: 'Pin',
  unpin: 'Unpin',
  ablate: 'Ablate',
  steer: 'Steer…',
  copyId: 'Copy Id',
  actionOn: '{action}: {name}',
  density: 'Density',
  densityTitle: 'Fraction of tokens on which the feature is active.',
  maxActivation: 'Max activation',
  decoderLogits: 'Logits of the decoder direction',
  raises: 'Raises',
  lowers: 'Lowers',
  noLogits: 'Its effect on the logits is not known.',
  hook: 'Hook',

  nextAfter: 'What comes after {token}',
  nextWith: 'with interventions',
  nextWithout: 'without',
  nextEnd: 'At the end of the prompt, without and with interventions',
  nextNone: 'There is no prediction here.',
  nextRow: '{token}, probability {value}',
  nextRowChange: '{token}, probability {before} without and {after} with interventions',

  lensLabel: 'Most probable next token by layer and position',
  lensExplain: 'Read out after every layer through the final norm. Bold: already the final answer.',
  lensCell: '{layer}, after {token}: {prediction} {value}',
  lensDetail: '{layer}, after {token}',
  lensLayer: 'layer {layer}',
  lensEmbed: 'embed',

  attentionLayer: 'Layer',
  attentionHeads: 'Heads of layer {layer}',
  attentionHead: 'Head {head}',
  attentionHeadLabel: 'Head {head}, looks at {token} most ({value})',
  attentionFrom: 'Head {head}, from {token}',
  attentionRow: '{token} at position {position}, weight {value}',
  attentionMapLabel:
    'Attention of head {head}: queries from top to bottom, keys from left to right. The selected query looks at {token} most ({value}).',
  ablateThisHead: 'Ablate Head {head}',

  attributionOf: 'What adds up to the {what}',
  attributionAt: 'at {token}',
  attributionRow: '{name}, {value} logits',
  attributionTotal: 'Total',
  attributionRest: '{count} smaller components',
  attributionByFeature: 'By feature of {sae}',
  attributionFeature: 'feature {index}',
  attributionFeatureRest: '{count} smaller features',
  attributionSaeBias: 'SAE bias',
  attributionSaeError: 'SAE error',
  attributionWholeHook: 'All of {sae}',
  componentHead: 'Head {head}',
  componentMlp: 'MLP {layer}',

  ...circuitStrings,
  ...shiftStrings,
  ...studyStrings,
  ...sweepStrings,
} as const;

/** Keys and texts; translations have the same keys. */
export type ViewStrings = { readonly [Key in keyof typeof defaults]: string };

/** The English texts. */
export const viewStrings: ViewStrings = defaults;

/** Takes the translations that are strings, and English for the rest. */
export function mergeStrings(translated: unknown): ViewStrings {
  if (typeof translated !== 'object' || translated === null) return viewStrings;
  const given = translated as Readonly<Record<string, unknown>>;
  const entries = Object.entries(viewStrings).map(([key, text]) => {
    const other = Object.hasOwn(given, key) ? given[key] : undefined;
    return [key, typeof other === 'string' ? other : text];
  });
  return Object.fromEntries(entries) as ViewStrings;
}

/** Fills `{name}` places. A place without a value stays empty, and braces inside values are left alone. */
export function fill(template: string, values: Readonly<Record<string, string | number>>): string {
  return template.replace(/\{(\w+)\}/g, (_, name: string) =>
    Object.hasOwn(values, name) ? String(values[name]) : '',
  );
}
