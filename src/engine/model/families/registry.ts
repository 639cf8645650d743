/** The families of models that Fovea runs: one row each. */
import type { ModelFamily } from './family.ts';
import { gemma } from './gemma.ts';
import { gemma2 } from './gemma2.ts';
import { gemma3 } from './gemma3.ts';
import { gpt2 } from './gpt2.ts';
import { gptNeo } from './gptNeo.ts';
import { gptNeoX } from './gptNeoX.ts';
import { llama } from './llama.ts';
import { mistral } from './mistral.ts';
import { olmo } from './olmo.ts';
import { olmo2 } from './olmo2.ts';
import { opt } from './opt.ts';
import { phi } from './phi.ts';
import { phi3 } from './phi3.ts';
import { qwen2 } from './qwen2.ts';
import { qwen3 } from './qwen3.ts';

export const families: readonly ModelFamily[] = [
  gpt2,
  gptNeo,
  gptNeoX,
  opt,
  llama,
  mistral,
  qwen2,
  qwen3,
  gemma,
  gemma2,
  gemma3,
  phi,
  phi3,
  olmo,
  olmo2,
];

/** Their usual names, for people. */
export const familyNames: readonly string[] = families.map(({ modelTypes }) => modelTypes[0]);
