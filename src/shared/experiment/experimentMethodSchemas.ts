/** What may stand in each method of an experiment. */

import { errorTreatments } from '../sparseCircuitApi.ts';
import type { AblationChoice, MethodKind } from './experiment.ts';
import type { JsonSchema } from './jsonSchema.ts';
import { amount, choice, count, flag, list, record, share, text } from './schemaParts.ts';

type Fields = Readonly<Record<string, JsonSchema>>;

const headOrMlp: JsonSchema = {
  ...text('Layer and head, or the MLP of a layer.'),
  pattern: '^(\\d{1,4}\\.\\d{1,4}|mlp \\d{1,4})$',
  examples: ['2.5', 'mlp 2'],
};

const receiver: JsonSchema = {
  ...text('Queries, keys or values of a head.'),
  pattern: '^[qkv]:\\d{1,4}\\.\\d{1,4}$',
  examples: ['q:2.5'],
};

const position: JsonSchema = {
  description: 'A position from 0, or a role of the task.',
  anyOf: [count('A position.', 0), text('A role of the task.')],
};

const sweep: Fields = {
  sweep: { $ref: '#/definitions/sweep' },
  layers: list('Layers that are swept; all when left out.', count('A layer.', 0), 1),
  roles: list(
    'Roles of the task in place of positions: for pairs that differ in length.',
    text('A role.'),
    1,
  ),
};

const features: Fields = {
  sae: text('The SAE: a hook, a folder, or `release/id`.'),
  features: {
    description: 'Features by number, or how many of those that differ most between the prompts.',
    anyOf: [
      list('Features by number.', count('A feature.', 0), 1),
      record('The features that differ most.', { strongest: count('How many.', 1) }, ['strongest']),
    ],
  },
  error: flag('What the SAE leaves out is changed as well, as a cell of its own.'),
  by: choice('Features change at all positions at once, or at one by one. `all` when left out.', [
    'all',
    'position',
  ]),
};

const direction: Fields = {
  direction: choice(
    '`denoising` (when left out) patches clean values into the corrupted run; `noising` the other way round.',
    ['denoising', 'noising'],
  ),
};

/** Values of `ablate.value`, and what each means. */
const standIns: Readonly<Record<AblationChoice['value'], string>> = {
  zero: 'Zero.',
  mean: 'The mean over all prompts of the reference and all positions.',
  meanByPosition: 'The mean at this position over all prompts of this length.',
  meanByTemplate:
    'The mean at this position over the prompts of this length and template (Wang et al. 2022).',
  resample: 'The value in another prompt of this length, drawn by the seed (Chan et al. 2022).',
};

const ablation: Fields = {
  value: {
    ...choice('What takes the value’s place.', Object.keys(standIns)),
    enumDescriptions: Object.values(standIns),
  },
  reference: choice('Prompts that means and samples are taken from; `corrupted` when left out.', [
    'clean',
    'corrupted',
  ]),
};

const kept: JsonSchema = {
  description: 'Which edges make the circuit; the 100 strongest when left out.',
  anyOf: [
    record('The strongest.', { top: count('How many.', 1) }, ['top']),
    record('Grown from the logits.', { greedy: count('How many.', 1) }, ['greedy']),
    record('By score.', { threshold: amount('The least size of a score.') }, ['threshold']),
  ],
};

const thresholds: JsonSchema = {
  description: 'When a head is given a class; docs/circuits.md.',
  type: 'object',
  properties: Object.fromEntries(
    [
      'directEffect',
      'pathEffect',
      'backupEffect',
      'copyScore',
      'attention',
      'repetition',
      'nodeEffect',
      'faithfulness',
    ].map((name) => [name, { type: 'number' }]),
  ),
  additionalProperties: false,
};

const shiftAblation: JsonSchema = {
  description: 'Features to ablate; `benchmark` (when left out): those known to be about gender.',
  anyOf: [
    { const: 'benchmark' },
    list(
      'Features by number.',
      record(
        'A feature.',
        { sae: text('The SAE: a hook, a folder, or `release/id`.'), feature: count('Its number.', 0) },
        ['sae', 'feature'],
      ),
    ),
  ],
};

/** By kind: what it is, its fields, and which of them it needs. */
const table: Readonly<
  Record<MethodKind, readonly [description: string, fields: Fields, required?: readonly string[]]>
> = {
  patch: ['Activation patching, cell by cell.', { ...sweep, ...direction }, ['sweep']],
  patchFeatures: ['Activation patching of SAE features.', { ...features, ...direction }, ['sae', 'features']],
  ablate: ['Ablation in the clean prompts, cell by cell.', { ...sweep, ...ablation }, ['sweep', 'value']],
  ablateFeatures: [
    'Ablation of SAE features in the clean prompts.',
    { ...features, ...ablation },
    ['sae', 'features', 'value'],
  ],
  patchPaths: [
    'Path patching (Wang et al. 2022) from every sender to the receivers.',
    {
      senders: list('All heads when left out.', headOrMlp, 1),
      mlps: flag('All MLPs send as well.'),
      receivers: list('The logits when left out.', receiver),
      positions: list(
        'Where paths begin and end: the last position for the logits, else all, when left out.',
        position,
        1,
      ),
      freezeMlps: flag('MLPs keep what they write.'),
    },
  ],
  directLogitAttribution: ['What every component adds to the answer’s logit over the wrong one’s.', {}],
  logitLens: [
    'What every layer would say next.',
    {
      top: { ...count('Predictions for each position; 3 when left out.', 1), maximum: 50 },
      tuned: text('Folder of a tuned lens.'),
    },
  ],
  attributeEdges: [
    'Scores of all edges between heads and MLPs by attribution patching, and the circuit of the strongest.',
    {
      gradients: choice(
        '`eap`: on the clean prompts. `eap-ig`: integrated over the input embeddings. `eap-ig-activations`: integrated over what each head or MLP writes, one by one; closest to exact, and slow.',
        ['eap', 'eap-ig', 'eap-ig-activations'],
      ),
      steps: { ...count('Of integrated gradients; 5 when left out.', 1), maximum: 1000 },
      keep: kept,
    },
    ['gradients'],
  ],
  acdc: [
    'A circuit found by corrupting edge after edge (Conmy et al. 2023), by the KL divergence when the experiment names no metric.',
    {
      threshold: amount('An edge stays when the loss rises by more without it.'),
      budget: amount('Ends the search when the loss has risen by so much in all.'),
    },
    ['threshold'],
  ],
  gradientCircuit: [
    'The strongest heads, MLPs and SAE features of one pair, by gradients.',
    { maxNodes: { ...count('Nodes to keep; 40 when left out.', 1), maximum: 5000 } },
  ],
  sparseFeatureCircuit: [
    'A sparse feature circuit (Marks et al. 2024).',
    {
      basis: choice('SAE features and errors, or neurons. `features` when left out.', [
        'features',
        'neurons',
      ]),
      effects: choice('How effects of nodes are found; `ig` when left out.', ['atp', 'ig', 'exact']),
      steps: { ...count('Of integrated gradients; 10 when left out.', 1), maximum: 1000 },
      aggregation: choice('Over positions: summed (when left out), or each by itself.', ['sum', 'position']),
      nodeThreshold: amount(
        'Least size of a node’s effect; 0.25 % of what the metric changes from clean to corrupted when left out.',
      ),
      edgeThreshold: amount('Least size of an edge’s effect; as for nodes when left out.'),
      startLayer: count('Tests leave layers below as they are; a third of all layers when left out.', 0),
      errors: choice(
        'In tests, errors of SAEs are nodes like others (`circuit`, when left out), all stay, or are all taken away.',
        errorTreatments,
      ),
      edges: flag('False leaves edges out, which take most of the time.'),
    },
  ],
  attributionGraph: [
    'An attribution graph of the clean prompt, over transcoders (Ameisen et al. 2025).',
    {
      answers: list('Tokens to explain; the most probable ones when left out.', text('One token.'), 1),
      maxLogits: { ...count('Of the most probable tokens, so many at most.', 1), maximum: 100 },
      desiredProbability: share('Until they have this probability together.'),
      maxFeatureNodes: count('Features whose inputs are traced.', 1),
      nodeThreshold: share('Share of influence that nodes keep.'),
      edgeThreshold: share('Share of influence that edges keep.'),
    },
  ],
  indirectObjectStudy: [
    'The study of indirect objects (Wang et al. 2022). The pairs need roles IO, S1, S1+1, S2 and END.',
    {
      thresholds,
      pathPairs: count('Pairs for path patching; 200 when left out.', 1),
      circuitPairs: count('Pairs for the circuit; 40 when left out.', 1),
      copyPairs: count('Pairs for copy scores; 60 when left out.', 1),
      randomSets: count('Random sets for completeness; 20 when left out.', 0),
      circuit: flag('False stops after the classes of heads.'),
    },
  ],
  shift: [
    'SHIFT (Marks et al. 2024): a classifier without the features that tell gender. It writes its own biographies.',
    {
      hook: text('Hook that the classifier reads.'),
      professions: { ...list('Two professions.', text('A profession.'), 2), maxItems: 2 },
      trainCount: count('Biographies to train on.', 8),
      testCount: count('Biographies to test on.', 8),
      maxFeatures: count('Features that are looked at.', 1),
      ablateTo: choice('What ablated features are set to; `mean` when left out, `zero` as in the paper.', [
        'mean',
        'zero',
      ]),
      ablate: shiftAblation,
    },
  ],
};

/** One schema for each kind of method. */
export const methodSchemas: readonly JsonSchema[] = (Object.keys(table) as MethodKind[]).map((kind) => {
  const [description, fields, required = []] = table[kind];
  return record(description, { kind: { const: kind, description }, ...fields }, ['kind', ...required]);
});

/** Kinds of methods, in the order of the schema. */
export const methodKinds = Object.keys(table) as readonly MethodKind[];
