/** The stack of interventions with its history. Every change can be undone; the model is not known here. */

import type { Edit, TokenStrip } from '../shared/domain.ts';
import { Disposable } from './disposable.ts';
import { type Misfit, misfitOf, movePositions, type OpenModel } from './editFit.ts';
import { Emitter } from './emitter.ts';

/** What can be changed about an intervention that is on the stack. */
export type EditChange = Partial<Pick<Edit, 'enabled' | 'strength' | 'action' | 'positions'>>;

/** Undo goes back this far. */
const longestHistory = 100;

/** The active interventions, oldest first. */
export class Interventions extends Disposable {
  readonly onDidChange;
  private readonly changed = this.own(new Emitter<readonly Edit[]>());
  private current: readonly Edit[] = [];
  private readonly past: (readonly Edit[])[] = [];
  private future: (readonly Edit[])[] = [];
  private nextNumber = 1;
  private open: OpenModel | undefined;

  constructor() {
    super();
    this.onDidChange = this.changed.event;
  }

  get edits(): readonly Edit[] {
    return this.current;
  }

  /** Interventions that act: enabled, of some strength, and possible in the open model. */
  get active(): readonly Edit[] {
    return this.current.filter((edit) => edit.enabled && edit.strength !== 0 && !this.misfit(edit));
  }

  /** Why an intervention cannot act in the open model; it stays on the stack and acts again in one that it fits. */
  misfit(edit: Edit): Misfit | undefined {
    return this.open && misfitOf(edit, this.open);
  }

  /** Holds the interventions against another model from now on. It fires nothing: the model's own change is told. */
  fitTo(open: OpenModel | undefined): void {
    this.open = open;
  }

  /** Moves every position, those of the history too, to the tokens that stand for the same text. */
  moveTo(from: TokenStrip, to: TokenStrip): void {
    const move = (edits: readonly Edit[]): readonly Edit[] =>
      edits.map((edit) =>
        edit.positions ? { ...edit, positions: movePositions(edit.positions, from, to) } : edit,
      );
    for (const [index, edits] of this.past.entries()) this.past[index] = move(edits);
    this.future = this.future.map(move);
    this.current = move(this.current);
    this.changed.fire(this.current);
  }

  get canUndo(): boolean {
    return this.past.length > 0;
  }

  get canRedo(): boolean {
    return this.future.length > 0;
  }

  /** Puts an intervention on the stack, at full strength. An equal target at the same positions is replaced. */
  add(edit: Pick<Edit, 'target' | 'action' | 'positions'> & { readonly strength?: number }): Edit {
    const added: Edit = { strength: 1, ...edit, enabled: true, id: this.newId() };
    const others = this.current.filter((other) => !actsAtSamePlace(other, added));
    this.apply([...others, added]);
    return added;
  }

  /** Changes one intervention; unknown ids are ignored. */
  change(id: string, change: EditChange): void {
    this.changeAll(new Map([[id, change]]));
  }

  /** Changes several interventions as one step of the history. */
  changeAll(changes: ReadonlyMap<string, EditChange>): void {
    if (!this.current.some((edit) => changes.has(edit.id))) return;
    this.apply(this.current.map((edit) => ({ ...edit, ...changes.get(edit.id) })));
  }

  remove(id: string): void {
    const rest = this.current.filter((edit) => edit.id !== id);
    if (rest.length < this.current.length) this.apply(rest);
  }

  clear(): void {
    if (this.current.length > 0) this.apply([]);
  }

  /** Puts other interventions in place of all, as one step that can be undone. */
  replaceAll(edits: readonly Edit[]): void {
    this.apply(edits.map((edit) => ({ ...edit, id: this.newId() })));
  }

  /** Starts over with these, without history. */
  reset(edits: readonly Edit[] = []): void {
    this.past.length = 0;
    this.future = [];
    this.current = edits.map((edit) => ({ ...edit, id: this.newId() }));
    this.changed.fire(this.current);
  }

  undo(): void {
    const previous = this.past.pop();
    if (!previous) return;
    this.future.push(this.current);
    this.current = previous;
    this.changed.fire(this.current);
  }

  redo(): void {
    const next = this.future.pop();
    if (!next) return;
    this.past.push(this.current);
    this.current = next;
    this.changed.fire(this.current);
  }

  private apply(edits: readonly Edit[]): void {
    this.past.push(this.current);
    if (this.past.length > longestHistory) this.past.shift();
    this.future = [];
    this.current = edits;
    this.changed.fire(edits);
  }

  private newId(): string {
    return `edit-${this.nextNumber++}`;
  }
}

function actsAtSamePlace(one: Edit, other: Edit): boolean {
  return (
    JSON.stringify(one.target) === JSON.stringify(other.target) &&
    JSON.stringify(one.positions ?? null) === JSON.stringify(other.positions ?? null)
  );
}
