/**
 * What may stand in an experiment: the one source of the check when a file is read, and of `media/experiment.schema.json`,
 * from which editors complete and explain.
 */

import { sweepNames } from '../patchingApi.ts';
import { taskGenerators, taskMetrics } from '../task.ts';
import { editorSchema } from './editorSchema.ts';
import { methodSchemas } from './experimentMethodSchemas.ts';
import type { JsonSchema } from './jsonSchema.ts';
import { choice, count, list, record, text } from './schemaParts.ts';

const model: JsonSchema = {
  ...text('`embedded`, a folder or `.gguf` file (`./model`), or `owner/name[@revision]` of the hub’s cache.'),
  default: 'embedded',
  examples: ['embedded', './model', './model.gguf', 'openai-community/gpt2'],
};

const pair = record(
  'One pair of prompts.',
  {
    kind: { const: 'pair' },
    clean: text('The prompt whose answer is right.'),
    corrupted: text('The prompt that suggests another answer, or none; as many tokens as `clean`.'),
    answers: list('What comes next: one token each. Most words begin with a space.', text('One token.'), 1),
    wrongAnswers: list('What should not come next: one token each.', text('One token.'), 1),
  },
  ['kind', 'clean', 'corrupted', 'answers', 'wrongAnswers'],
);

const file = record(
  'A task file.',
  {
    kind: { const: 'file' },
    path: { ...text('Relative to this file.'), examples: ['indirectObject.task.jsonl'] },
    limit: count('Pairs at most: the first ones.', 1),
  },
  ['kind', 'path'],
);

const generator = record(
  'Pairs that a generator writes; the same seed gives the same pairs.',
  {
    kind: { const: 'generator' },
    name: choice('The generator.', taskGenerators),
    count: { ...count('Pairs.', 1), maximum: 20_000 },
    seed: count('Another seed than the experiment’s.', 0),
    options: {
      description: 'Options of the generator, one word each; docs/tasks.md lists them.',
      type: 'object',
      additionalProperties: text('One word.'),
    },
  },
  ['kind', 'name', 'count'],
);

const dictionaries = (what: string): JsonSchema =>
  list(
    `${what}: hooks of those beside the model, folders (\`./sae\`), or \`release/id\` of public releases in the cache.`,
    { ...text('A hook, a folder, or `release/id`.'), examples: ['blocks.2.hook_resid_post', './sae'] },
  );

/** The schema of `*.fovea.json`. */
export const experimentSchema: JsonSchema = {
  $schema: 'http://json-schema.org/draft-07/schema#',
  title: 'Fovea experiment',
  description: 'A model, prompts, a metric, and the methods to run. Paths are relative to the file.',
  type: 'object',
  properties: {
    $schema: text('The schema of this file; not needed in Fovea.'),
    name: text('What the experiment is called.'),
    description: text('What it is about.'),
    model,
    bos: {
      ...choice('A beginning-of-sequence token before the prompts; `auto` asks the tokenizer’s policy.', [
        'auto',
        'always',
        'never',
      ]),
      default: 'auto',
    },
    saes: dictionaries('SAEs'),
    transcoders: dictionaries('Transcoders for attribution graphs'),
    pairs: { description: 'The prompts.', anyOf: [pair, file, generator] },
    metric: choice(
      'What is measured at the last position; the task’s own, or the logit difference, when left out.',
      taskMetrics,
    ),
    seed: { ...count('Where random numbers begin.', 0), default: 1 },
    method: {
      description: 'One method, or a list of them.',
      anyOf: [
        { $ref: '#/definitions/method' },
        { type: 'array', items: { $ref: '#/definitions/method' }, minItems: 1, maxItems: 100 },
      ],
    },
  },
  required: ['method'],
  additionalProperties: false,
  definitions: {
    sweep: choice('Which places are changed, by TransformerLens’s names.', sweepNames),
    method: { description: 'A method.', anyOf: methodSchemas },
  },
};

/** The text of the schema's file. */
export function experimentSchemaText(): string {
  return `${JSON.stringify(editorSchema(experimentSchema), null, 2)}\n`;
}
