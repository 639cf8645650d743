/** Asks the engine everything that one look at a prompt needs. It keeps no state of its own. */

import type { Analysis, PromptComparison } from '../shared/analysis.ts';
import type { Contrast, Edit, FeatureRef, ModelInfo, SaeId } from '../shared/domain.ts';
import type { EngineApi } from '../shared/engineApi.ts';
import { isEngineError } from '../shared/errors.ts';
import type { TokenHeat } from '../shared/viewApi.ts';
import type { FeatureCatalog } from './featureCatalog.ts';
import { featureHeat, strongestHeat } from './heat.ts';
import { describeForLog, type Log } from './log.ts';
import type { Look, OtherPrompt, Prompt } from './prompt.ts';

/** How much to ask of the engine. */
export interface ExaminerSettings {
  readonly topFeatures: number;
  readonly topPredictions: number;
}

/** What an examiner needs. */
export interface ExaminerOptions {
  readonly engine: EngineApi;
  readonly settings: () => ExaminerSettings;
  readonly catalog: FeatureCatalog;
  readonly log: Log;
}

/** What to look at, and under which circumstances. */
export interface ExaminerQuestion {
  readonly prompt: Prompt;
  readonly model: ModelInfo;
  readonly sae?: SaeId;
  readonly edits: readonly Edit[];
  readonly contrast?: Contrast;
  readonly other?: OtherPrompt;
  /** Features whose heat is wanted; the strongest of each token when there are none. */
  readonly hotFeatures: readonly FeatureRef[];
}

/** Looks at prompts. */
export class PromptExaminer {
  constructor(private readonly options: ExaminerOptions) {}

  /** One look. Extras that fail (heat, comparison) are left out; the analysis itself must succeed. */
  async examine(question: ExaminerQuestion, signal: AbortSignal): Promise<Look> {
    const { prompt, model, sae, edits, contrast, hotFeatures } = question;
    const { engine, settings } = this.options;
    const saes = sae === undefined ? [] : [sae];
    const request = { model: model.id, text: prompt.text, saes, ...settings(), edits, contrast };
    const analysis = await engine.analyze(request, { signal });
    const [heat, comparison] = await Promise.all([
      this.heatOf(analysis, hotFeatures, signal),
      this.compare(question, signal),
    ]);
    return { prompt, model, analysis, heat, comparison };
  }

  /** Heat of chosen features, or of each token's strongest. */
  async heatOf(
    analysis: Analysis,
    features: readonly FeatureRef[],
    signal: AbortSignal,
  ): Promise<TokenHeat | undefined> {
    if (features.length === 0) return strongestHeat(analysis);
    const { engine, catalog } = this.options;
    try {
      const values = await engine.featureHeat({ run: analysis.run, features }, { signal });
      await catalog.learn(features, signal);
      const known = features.map((feature) => catalog.get(feature));
      return featureHeat(known, values, analysis.strip.tokens);
    } catch (error) {
      // A pinned feature of an SAE that is gone must not take the whole picture with it.
      this.forgive('Heat could not be computed', error, signal);
      return strongestHeat(analysis);
    }
  }

  private async compare(
    { model, prompt, other }: ExaminerQuestion,
    signal: AbortSignal,
  ): Promise<PromptComparison | undefined> {
    if (!other) return undefined;
    const request = { model: model.id, clean: prompt.text, corrupted: other.text };
    try {
      return await this.options.engine.comparePrompts(request, { signal });
    } catch (error) {
      this.forgive('The prompts could not be compared', error, signal);
      return undefined;
    }
  }

  /** Notes the failure of an extra; rethrows what ends the whole look. */
  private forgive(what: string, error: unknown, signal: AbortSignal): void {
    if (signal.aborted || isEngineError(error, 'engine.stopped')) throw error;
    this.options.log.warn(`${what}: ${describeForLog(error)}`);
  }
}
