/** Every id that the manifest and the code share. It imports nothing, so that a test can hold it against package.json. */

/** Command ids by handler name. */
export const commands = {
  inspectDocument: 'fovea.inspectDocument',
  findCircuit: 'fovea.findCircuit',
  findFeatureCircuit: 'fovea.findFeatureCircuit',
  attributionGraph: 'fovea.attributionGraph',
  attributeEdges: 'fovea.attributeEdges',
  showResult: 'fovea.showResult',
  saveResult: 'fovea.saveResult',
  exportResult: 'fovea.exportResult',
  deleteResult: 'fovea.deleteResult',
  cancelResult: 'fovea.cancelResult',
  compareCircuits: 'fovea.compareCircuits',
  compareCircuitWith: 'fovea.compareCircuitWith',
  reopenAsText: 'fovea.reopenAsText',
  importCircuit: 'fovea.importCircuit',
  saveCircuitAs: 'fovea.saveCircuitAs',
  exportCircuit: 'fovea.exportCircuit',
  setContrast: 'fovea.setContrast',
  clearContrast: 'fovea.clearContrast',
  comparePrompts: 'fovea.comparePrompts',
  sweepPatches: 'fovea.sweepPatches',
  clearComparison: 'fovea.clearComparison',
  ablateHead: 'fovea.ablateHead',
  ablateMlp: 'fovea.ablateMlp',
  ablateFeature: 'fovea.ablateFeature',
  patchFromPrompt: 'fovea.patchFromPrompt',
  steerFeature: 'fovea.steerFeature',
  pinFeature: 'fovea.pinFeature',
  unpinFeature: 'fovea.unpinFeature',
  clearInterventions: 'fovea.clearInterventions',
  undoIntervention: 'fovea.undoIntervention',
  redoIntervention: 'fovea.redoIntervention',
  editStrength: 'fovea.editStrength',
  removeIntervention: 'fovea.removeIntervention',
  saveInterventions: 'fovea.saveInterventions',
  openInterventions: 'fovea.openInterventions',
  chooseModel: 'fovea.chooseModel',
  chooseSae: 'fovea.chooseSae',
  downloadModel: 'fovea.downloadModel',
  setHubToken: 'fovea.setHubToken',
  chooseBos: 'fovea.chooseBos',
  followSaeBos: 'fovea.followSaeBos',
  showSae: 'fovea.showSae',
  checkSae: 'fovea.checkSae',
  checkSaeOnDocument: 'fovea.checkSaeOnDocument',
  chooseReading: 'fovea.chooseReading',
  useBetterReading: 'fovea.useBetterReading',
  readAsDeclared: 'fovea.readAsDeclared',
  exportSae: 'fovea.exportSae',
  removeSae: 'fovea.removeSae',
  copyPath: 'fovea.copyPath',
  copyHookName: 'fovea.copyHookName',
  cancelDownload: 'fovea.cancelDownload',
  cancelOpening: 'fovea.cancelOpening',
  importLabels: 'fovea.importLabels',
  searchFeatures: 'fovea.searchFeatures',
  fetchLabels: 'fovea.fetchLabels',
  labelFeature: 'fovea.labelFeature',
  toggleHeatmap: 'fovea.toggleHeatmap',
  showLog: 'fovea.showLog',
  restartEngine: 'fovea.restartEngine',
  openSettings: 'fovea.openSettings',
  openWalkthrough: 'fovea.openWalkthrough',
  openSamplePrompt: 'fovea.openSamplePrompt',
  newTask: 'fovea.newTask',
  newExperiment: 'fovea.newExperiment',
  runExperiment: 'fovea.runExperiment',
  cancelExperiment: 'fovea.cancelExperiment',
  estimateExperiment: 'fovea.estimateExperiment',
  compareExperiments: 'fovea.compareExperiments',
  exportExperiment: 'fovea.exportExperiment',
  showExperimentSweep: 'fovea.showExperimentSweep',
  studyIndirectObjects: 'fovea.studyIndirectObjects',
  runShift: 'fovea.runShift',
} as const;

/** A command of this extension, by its short name. */
export type CommandName = keyof typeof commands;

/** Settings with the type of their value. The defaults live in package.json. */
export interface SettingTypes {
  'fovea.model.path': string;
  'fovea.model.folders': readonly string[];
  'fovea.model.bos': 'auto' | 'always' | 'never';
  'fovea.sae.folders': readonly string[];
  'fovea.hub.endpoint': string;
  'fovea.prompt.files': string;
  'fovea.features.perToken': number;
  'fovea.predictions.count': number;
  'fovea.heatmap.enabled': boolean;
  'fovea.inlayHint.enabled': boolean;
  'fovea.codeLens.enabled': boolean;
  'fovea.hover.enabled': boolean;
  'fovea.threads': number;
}

/** Setting ids by short name. */
export const settings = {
  modelPath: 'fovea.model.path',
  modelFolders: 'fovea.model.folders',
  modelBos: 'fovea.model.bos',
  saeFolders: 'fovea.sae.folders',
  hubEndpoint: 'fovea.hub.endpoint',
  promptFiles: 'fovea.prompt.files',
  featuresPerToken: 'fovea.features.perToken',
  predictionsCount: 'fovea.predictions.count',
  heatmapEnabled: 'fovea.heatmap.enabled',
  inlayHintEnabled: 'fovea.inlayHint.enabled',
  codeLensEnabled: 'fovea.codeLens.enabled',
  hoverEnabled: 'fovea.hover.enabled',
  threads: 'fovea.threads',
} as const satisfies Readonly<Record<string, keyof SettingTypes>>;

/** When-clause keys by short name. */
export const contextKeys = {
  /** A model is loaded. */
  modelLoaded: 'fovea.modelLoaded',
  /** The chosen model could not be loaded. */
  modelFailed: 'fovea.modelFailed',
  /** A prompt has been analyzed. */
  promptInspected: 'fovea.promptInspected',
  /** The active editor holds a prompt file, or the inspected prompt. */
  promptActive: 'fovea.promptActive',
  hasContrast: 'fovea.hasContrast',
  hasComparison: 'fovea.hasComparison',
  hasPins: 'fovea.hasPins',
  hasInterventions: 'fovea.hasInterventions',
  canUndo: 'fovea.canUndo',
  canRedo: 'fovea.canRedo',
} as const;

/** View ids by short name; `tokens` and `circuit` are editor panels, the others trees in the activity bar. */
export const views = {
  container: 'fovea',
  interventions: 'fovea.interventions',
  results: 'fovea.results',
  model: 'fovea.model',
} as const;

/** Webview panel types. */
export const panels = {
  sweep: 'fovea.sweep',
  tokens: 'fovea.tokens',
  circuit: 'fovea.circuit',
  study: 'fovea.study',
  shift: 'fovea.shift',
} as const;

/** Editors of files by short name. */
export const customEditors = {
  circuit: 'fovea.circuitEditor',
} as const;

/** How names of circuit files end. */
export const circuitFileEnding = 'circuit.json';

/** Language id of `.prompt.txt` files. */
export const promptLanguage = 'fovea-prompt';

/** Language id of task files, which is VS Code's own for lines of JSON. */
export const taskLanguage = 'jsonl';

/** The walkthrough's id inside this extension. */
export const walkthrough = 'firstLight';

/** Theme colors of the heat on the text, weakest first. */
export const heatColors = [
  'fovea.heat1',
  'fovea.heat2',
  'fovea.heat3',
  'fovea.heat4',
  'fovea.heat5',
  'fovea.heat6',
  'fovea.heat7',
  'fovea.heat8',
  'fovea.heat9',
] as const;

/** Theme colors beside those: the line under heat, the outline of a token, and full heat, which the panels read in CSS. */
export const lineColors = {
  heat: 'fovea.heatBorder',
  token: 'fovea.tokenBorder',
  panelHeat: 'fovea.heat',
} as const;
