/** The model card of the embedded model: data, training, and what was measured. Numbers come from the run that wrote it. */

import type { ModelInfo } from '../../../shared/domain.ts';
import type { SaeMetrics } from '../../../shared/engineApi.ts';
import type { TaskScore } from '../../task/measure.ts';
import { type MiniRecipe, type TrainingStage, trainedTokens } from './recipe.ts';

/** Everything the card states. */
export interface MiniReport {
  readonly recipe: MiniRecipe;
  readonly model: ModelInfo;
  /** Held-out cross-entropy in nats per token. */
  readonly loss: number;
  readonly tasks: ReadonlyMap<string, TaskScore>;
  readonly saes: ReadonlyMap<string, SaeMetrics>;
  readonly transcoders: ReadonlyMap<string, SaeMetrics>;
}

/** What each prompt set asks, for people. */
const taskNames: Readonly<Record<string, string>> = {
  indirectObject: 'indirect object, ABC counterfactual (held-out names, places and objects)',
  'indirectObject.swapped': 'indirect object, swapped counterfactual (held-out words)',
  'indirectObject.newTemplates': 'indirect object, templates never trained on (held-out words)',
  'agreement.simple': 'agreement, simple',
  'agreement.nounpp': 'agreement across a prepositional phrase',
  'agreement.rc': 'agreement across a relative clause',
  'agreement.within_rc': 'agreement within a relative clause',
  twoPeople: 'the other of two people (names held out of indirect objects)',
  pronoun: 'gendered pronoun',
  repetition: 'repeated sequence',
  greaterThan: 'greater than (years)',
  capitals: 'country and capital',
  biography: 'biography',
  sentiment: 'sentiment',
};

/** The card as markdown. */
export function modelCard({ recipe, model, loss, tasks, saes, transcoders }: MiniReport): string {
  const { shape } = recipe;
  const taskRows = [...tasks].map(
    ([name, { prompts, accuracy, logitDifference }]) =>
      `| ${taskNames[name] ?? name} | ${prompts} | ${(100 * accuracy).toFixed(1)} % | ${logitDifference.toFixed(2)} |`,
  );
  return `---
license: mit
language: en
library_name: transformers
tags: [mechanistic-interpretability, gpt2, sparse-autoencoder]
---

# Fovea mini

The language model that Fovea carries: small enough to travel with the extension, and trained on English whose structure has circuits that the field knows. It opens in Fovea, in \`transformers\` (GPT2LMHeadModel), in \`transformer_lens\`, and its SAEs in \`sae_lens\`, without changes.

## Model

GPT-2 architecture: ${shape.nLayers} layers, width ${shape.dModel}, ${shape.nHeads} heads, MLP ${shape.dMlp}, context ${shape.nContext}, byte-level BPE of ${model.dVocab} entries, ${(model.parameters / 1e6).toFixed(2)} million parameters, tied embeddings, float32. It works with and without the beginning-of-sequence token \`<|endoftext|>\`; Fovea uses none.

## Data

Text of a seeded generator (\`src/engine/task\`, seed ${recipe.seed}): indirect-object sentences in ABBA and BABA order, subject–verb agreement (simple, across a prepositional phrase, across and within a relative clause), two people of whom one acts on the other, gendered pronouns, repeated sequences, years that must grow, countries and capitals, short biographies that pair profession and gender, reviews with their sentiment, and a little plain narrative. No text from anywhere else. It knows nothing of the world beyond that, and what it says about professions and genders is an artefact of the generator, made to be studied.

Held out from training: the evaluation's names never stand in an indirect-object sentence, and nothing is ever given to them. They do occur in other kinds of text, among them sentences about two people ("Eva and Karen were at the lake. Karen waved at Eva."), from which the model learns that any name can be taken from context. The evaluation's places and objects never stand in a sentence of giving, and its nouns never have a prepositional phrase or a relative clause beside them.

## Training

Fovea's own trainer (\`npm run train:mini\`): AdamW on ${(trainedTokens(recipe) / 1e6).toFixed(1)} million tokens: ${recipe.stages.map(stageText).join(', then ')}.

## Measured

Cross-entropy on held-out text of the generator: ${loss.toFixed(3)} nats per token (most of it cannot be known: which name, which place).

Prompts are held out. Accuracy is how often the right answer's logit is above the wrong one's; the logit difference is its mean (for several answers, of the log-odds of the two sets).

| task | prompts | accuracy | logit difference |
| --- | ---: | ---: | ---: |
${taskRows.join('\n')}

## Sparse autoencoders

\`saes/<hook>\`, in SAELens format: TopK with k = ${recipe.sae.k}, ${recipe.sae.dSae} features, ${recipe.sae.steps.toLocaleString('en-US')} steps of ${recipe.sae.batch.toLocaleString('en-US')} activations, auxiliary loss for dead features (Gao et al. 2024). Measured on ${recipe.sae.evaluationTokens.toLocaleString('en-US')} held-out tokens: mean number of active features (L0), fraction of variance explained, cross-entropy recovered against zero ablation, features active on none of these tokens. \`features.json\` holds each feature's density, largest activation, and a label that names the tokens it is most active on.

| hook | L0 | variance explained | CE recovered | dead |
| --- | ---: | ---: | ---: | ---: |
${[...saes].map(saeRow).join('\n')}

## Transcoders

\`transcoders/<hook>\`, in SAELens format (\`jumprelu_transcoder\`): from every MLP's input (\`mlp.hook_in\`, behind the norm with its gain) to its output (\`hook_mlp_out\`), ${recipe.transcoder.dSae} features, trained for ${recipe.transcoder.steps.toLocaleString('en-US')} steps of ${recipe.transcoder.batch.toLocaleString('en-US')} activations with one threshold that keeps ${recipe.transcoder.k} features active on average (BatchTopK, Bussmann et al. 2024). They stand for the MLPs in attribution graphs. Measured as the SAEs are; the cross-entropy is recovered against zero ablation of the MLP, which costs little in some layers, so that small losses weigh much there.

| reads | L0 | variance explained | CE recovered | dead |
| --- | ---: | ---: | ---: | ---: |
${[...transcoders].map(saeRow).join('\n')}
`;
}

function saeRow([hook, m]: readonly [string, SaeMetrics]): string {
  return `| \`${hook}\` | ${m.l0.toFixed(1)} | ${m.explainedVariance.toFixed(3)} | ${m.ceRecovered.toFixed(3)} | ${(100 * m.deadFraction).toFixed(1)} % |`;
}

function stageText({ steps, rows, rowLength, optimizer }: TrainingStage): string {
  const { peak, kind } = optimizer.learningRate;
  const decay = optimizer.weightDecay ?? 0;
  return `${steps.toLocaleString('en-US')} steps of ${rows} rows × ${rowLength} tokens (peak learning rate ${peak}, ${kind} schedule, weight decay ${decay})`;
}
