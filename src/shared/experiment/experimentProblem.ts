/** What is told of an experiment that cannot be run, or not wholly. */

/** One thing that is wrong, and where in the file. */
export interface ExperimentProblem {
  readonly path: readonly (string | number)[];
  readonly severity: 'error' | 'warning';
  readonly message: string;
}
