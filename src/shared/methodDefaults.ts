/** What is taken when nobody says otherwise: the same on the command line, in experiments and in the editor's questions. */

/** Pairs and random numbers. Equal defaults give equal numbers wherever a method is run. */
export const methodDefaults = {
  /** Where random numbers begin: of generators, resampling, studies, probes. */
  seed: 1,
  /** Pairs that a generator writes into a new task. */
  taskPairs: 50,
  /** Pairs that a generator writes for the search of a circuit: on few, estimates of single nodes vary too much. */
  searchPairs: 160,
  /** Pairs of a study of indirect objects: its means need several prompts for each template. */
  studyPairs: 640,
} as const;
