/** The pruning slider's place. The host learns of every move at once, so that nothing is lost when the view goes; a whole drag is one step to undo. */

import { signal } from '@preact/signals';

/** Milliseconds of rest after which moving the slider is another step. */
const strokeRest = 600;

/** The slider, and the stroke it is moved in. */
export class KeepSlider {
  /** Share of the nodes that stay, 0 to 1. */
  readonly keep = signal(1);
  #stroke: number | undefined;
  #rest: ReturnType<typeof setTimeout> | undefined;

  /** `tell` tells the host of the place as it is now, as a part of the stroke. */
  constructor(readonly tell: (stroke: number) => void) {}

  /** True from the first move until the slider has rested. */
  get isMoving(): boolean {
    return this.#stroke !== undefined;
  }

  /** The reader moves it. */
  move(fraction: number): void {
    this.keep.value = fraction;
    this.#stroke ??= Date.now();
    clearTimeout(this.#rest);
    this.#rest = setTimeout(() => this.end(), strokeRest);
    this.tell(this.#stroke);
  }

  /** What follows is another step. */
  end(): void {
    clearTimeout(this.#rest);
    this.#stroke = undefined;
  }
}
