/** What a person added to a circuit, with the steps that led there. A drag of the slider is one step, however often it tells of itself. */

import type { CircuitAnnotations } from '../../shared/circuit.ts';

/** One change of the annotations, for editors that keep a history of their own. */
export interface CircuitStep {
  readonly what: string;
  readonly undo: () => void;
  readonly redo: () => void;
}

interface Step {
  readonly what: string;
  stroke: number | undefined;
  readonly before: CircuitAnnotations;
  after: CircuitAnnotations;
}

/** Undo goes back this far. */
const longestHistory = 200;

/** The annotations of one content of a circuit. */
export class AnnotationHistory {
  private marks: CircuitAnnotations;
  private steps: Step[] = [];
  /** How many of the steps are done; the others can be done again. */
  private done = 0;
  private isOver = false;

  /** `changed` is told of every change, `stepped` of every new step. */
  constructor(
    readonly first: CircuitAnnotations,
    private readonly changed: () => void,
    private readonly stepped: (step: CircuitStep) => void,
  ) {
    this.marks = first;
  }

  get annotations(): CircuitAnnotations {
    return this.marks;
  }

  get canUndo(): boolean {
    return this.done > 0;
  }

  get canRedo(): boolean {
    return this.done < this.steps.length;
  }

  /** Changes the annotations, as a step of its own or as more of the stroke that is under way. */
  edit(annotations: CircuitAnnotations, what: string, stroke?: number): void {
    if (JSON.stringify(annotations) === JSON.stringify(this.marks)) return;
    const last = this.canRedo ? undefined : this.steps[this.done - 1];
    if (last && stroke !== undefined && last.stroke === stroke) {
      last.after = annotations;
      this.marks = annotations;
      this.changed();
      return;
    }
    const step: Step = { what, stroke, before: this.marks, after: annotations };
    this.steps = [...this.steps.slice(0, this.done), step].slice(-longestHistory);
    this.done = this.steps.length;
    this.marks = annotations;
    this.stepped({ what, undo: () => this.goTo(step, 'before'), redo: () => this.goTo(step, 'after') });
    this.changed();
  }

  /** What comes after this is a step of its own: whoever saves now counts on being told of it. */
  endStroke(): void {
    const last = this.steps[this.done - 1];
    if (last) last.stroke = undefined;
  }

  undo(): void {
    const step = this.steps[this.done - 1];
    if (step) this.goTo(step, 'before');
  }

  redo(): void {
    const step = this.steps[this.done];
    if (step) this.goTo(step, 'after');
  }

  /** The circuit has another content: steps that an editor still has do nothing from now on. */
  end(): void {
    this.isOver = true;
  }

  private goTo(step: Step, side: 'before' | 'after'): void {
    if (this.isOver) return;
    step.stroke = undefined;
    const at = this.steps.indexOf(step);
    if (at >= 0) this.done = side === 'before' ? at : at + 1;
    this.marks = step[side];
    this.changed();
  }
}
