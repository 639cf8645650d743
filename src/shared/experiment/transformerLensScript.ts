/**
 * An experiment as a Python script for TransformerLens: the same prompts, positions and metric, every intervention as
 * hooks on a forward pass of its own, and the numbers as JSON. For who wants to see what was done, or to go on from there.
 */

import { EngineError } from '../errors.ts';
import type { PlacedPair } from '../taskApi.ts';
import type { ExperimentMethod } from './experiment.ts';
import type { PairText } from './pairTexts.ts';
import { type PythonValue, pythonLiteral } from './pythonText.ts';
import { methodScript, type ScriptContext } from './transformerLensMethods.ts';
import { metricScripts, partScripts, type ScriptPart } from './transformerLensParts.ts';

/** What a script is written from. */
export interface ScriptInputs extends ScriptContext {
  readonly name: string;
  /** Where TransformerLens finds the model: a folder, or `owner/name` on the hub. */
  readonly modelPath: string;
  /** Of each pair; empty when no method asks for roles or other prompts. */
  readonly placed: readonly PlacedPair[];
  readonly methods: readonly ExperimentMethod[];
}

/** Pairs that a script holds at most. */
const mostPairs = 2000;

/** @throws request.invalid when a method has no equivalent in TransformerLens, or the model or the task does not fit. */
export function transformerLensScript(inputs: ScriptInputs): string {
  const { name, modelPath, model, metric, pairs, placed, methods } = inputs;
  if (/\.gguf$/i.test(modelPath)) {
    throw refuse('a .gguf file', 'TransformerLens opens models of transformers; name such a folder');
  }
  if (pairs.length > mostPairs) {
    throw refuse(`a task of ${pairs.length} pairs`, `a script holds ${mostPairs} at most; set "limit"`);
  }
  const written = methods.map((method) => methodScript(method, inputs));
  const needed = new Set(written.flatMap(({ parts }) => parts));
  const parts = (Object.keys(partScripts) as ScriptPart[]).filter((part) => needed.has(part));
  return [
    header(needed),
    `EXPERIMENT = ${pythonLiteral(name)}`,
    `MODEL = ${pythonLiteral(modelPath)}`,
    `PREPEND_BOS = ${pythonLiteral(model.bos === 'prepended')}`,
    `# clean prompt, corrupted prompt, answers, wrong answers, template${placed.length > 0 ? ', positions of roles, the pair it is resampled from' : ''}`,
    `PAIRS = [\n${pairs.map((pair, i) => `    (${pairFields(pair, placed[i])}),\n`).join('')}]`,
    '',
    opening(needed),
    metricScripts[metric],
    base,
    ...parts.map((part) => partScripts[part]),
    '\nRESULTS = [',
    ...written.map(({ code }) => `    ${code},`),
    ']',
    ending,
  ].join('\n');
}

function pairFields(
  { clean, corrupted, answers, wrongAnswers, template }: PairText,
  placed: PlacedPair | undefined,
): string {
  const fields: PythonValue[] = [clean, corrupted, answers, wrongAnswers, template];
  if (placed) fields.push(placed.roles, placed.partner ?? null);
  return fields.map(pythonLiteral).join(', ');
}

function refuse(what: string, why: string): EngineError {
  return new EngineError('request.invalid', {
    what: `The TransformerLens script`,
    reason: `it cannot say ${what}: ${why}`,
  });
}

function header(needed: ReadonlySet<ScriptPart>): string {
  const imports = [
    ...(needed.has('features') ? ['from safetensors.torch import load_file'] : []),
    ...(needed.has('sweepByName') ? ['from transformer_lens import patching'] : []),
    'from transformer_lens.model_bridge import TransformerBridge',
  ].join('\n');
  return `"""An experiment of Fovea in TransformerLens. Numbers are written as JSON, to the file that is named or to the terminal.

    pip install "transformer-lens>=3.9"
    python THIS_FILE.py [RESULTS.json]
"""

import itertools
import json
import sys
from functools import partial

import torch
${imports}
`;
}

function opening(needed: ReadonlySet<ScriptPart>): string {
  const split = needed.has('edges')
    ? '\nmodel.set_use_attn_result(True)\nmodel.set_use_split_qkv_input(True)\nmodel.set_use_hook_mlp_in(True)'
    : '';
  return `torch.set_grad_enabled(False)
model = TransformerBridge.boot_transformers(MODEL, device="cpu", dtype=torch.float32)
model.enable_compatibility_mode(no_processing=True)${split}
N_LAYERS = model.cfg.n_layers


def tokens_of(text):
    return model.to_tokens(text, prepend_bos=PREPEND_BOS)


def token_of(text):
    ids = model.to_tokens(text, prepend_bos=False)[0].tolist()
    assert len(ids) == 1, f"{text!r} is not one token"
    return ids[0]


def mean(values):
    return sum(values) / len(values)
`;
}

const base = `
class Pair:
    """Two prompts of as many tokens, and what the model does on them."""

    def __init__(self, clean, corrupted, answers, wrong_answers, template, roles=None, partner=None):
        self.clean, self.corrupted, self.template = tokens_of(clean), tokens_of(corrupted), template
        assert self.clean.shape == self.corrupted.shape, f"not of one length: {clean!r}, {corrupted!r}"
        self.answers = [token_of(text) for text in answers]
        self.wrong_answers = [token_of(text) for text in wrong_answers]
        self.roles, self.partner = roles, partner
        self.clean_logits, self.clean_cache = model.run_with_cache(self.clean)
        self.corrupted_logits, self.corrupted_cache = model.run_with_cache(self.corrupted)

    def metric(self, logits):
        """At the last position; \`logits\` is [1, position, d_vocab]."""
        return metric(logits[0, -1], self.answers, self.wrong_answers, self.clean_logits[0, -1])


pairs = [Pair(*pair) for pair in PAIRS]
CLEAN = mean([pair.metric(pair.clean_logits) for pair in pairs])
CORRUPTED = mean([pair.metric(pair.corrupted_logits) for pair in pairs])
`;

const ending = `
for result in RESULTS:
    if isinstance(result["values"], torch.Tensor):
        result["values"] = result["values"].tolist()
report = {"experiment": EXPERIMENT, "clean": float(CLEAN), "corrupted": float(CORRUPTED), "results": RESULTS}
text = json.dumps(report, indent=1, ensure_ascii=True)
if len(sys.argv) > 1:
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        file.write(text + "\\n")
else:
    print(text)
`;
