/** What the SHIFT panel knows: the host's last answer, the features, and what the reader marks and opens. */

import { batch, computed, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import type { ShiftFeature } from '../../src/shared/shiftApi.ts';
import { type ShiftState, type ShiftViewApi, shiftKey } from '../../src/shared/shiftViewApi.ts';
import type { ViewCommand } from '../../src/shared/viewApi.ts';
import type { Host } from '../lib/host.ts';
import { Refresher } from '../lib/refresher.ts';
import { reasonOf } from '../lib/resource.ts';
import type { SavedState } from '../lib/savedState.ts';

/** State and wishes of the SHIFT panel. */
export class ShiftStore {
  readonly state = signal<ShiftState | undefined>(undefined);
  readonly failure = signal<string | undefined>(undefined);
  readonly features = signal<readonly ShiftFeature[]>([]);
  readonly marked = signal<ReadonlySet<string>>(new Set());
  /** Key of the feature whose examples are open, or nothing. */
  readonly open: Signal<string>;
  /** Part of the labels, sites or numbers that the list is narrowed to. */
  readonly filter: Signal<string>;
  readonly shown: ReadonlySignal<readonly ShiftFeature[]>;
  /** Whether what the generator knows is shown: never without being asked for, so that it does not sway the judgement. */
  readonly known = signal(false);
  /** Whether the outcome is of other marks than these. */
  readonly isStale: ReadonlySignal<boolean>;
  readonly #refresher: Refresher<ShiftState>;
  #number = -1;
  #marking = 0;

  constructor(
    readonly host: Host<ShiftViewApi>,
    saved: SavedState,
  ) {
    this.open = saved.signal('open', '');
    this.filter = saved.signal('filter', '');
    this.shown = computed(() => {
      const wanted = this.filter.value.trim().toLowerCase();
      if (wanted === '') return this.features.value;
      return this.features.value.filter(({ info, hook, feature }) =>
        `${info.label ?? ''} ${hook} #${feature.index}`.toLowerCase().includes(wanted),
      );
    });
    this.isStale = computed(() => {
      const ablated = this.state.value?.outcome?.ablated;
      const marked = this.marked.value;
      return (
        ablated !== undefined &&
        (ablated.length !== marked.size || ablated.some((feature) => !marked.has(shiftKey(feature))))
      );
    });
    this.#refresher = new Refresher(
      () => host.api.state({}),
      (state) => this.#accept(state),
      (reason) => {
        this.failure.value = reason;
      },
    );
    host.on('changed', () => void this.refresh());
  }

  /** Asks the host what is true now. */
  refresh(): Promise<void> {
    return this.#refresher.refresh();
  }

  #accept(state: ShiftState): void {
    batch(() => {
      this.failure.value = undefined;
      this.state.value = state;
      // What the reader is marking right now is newer than this answer.
      if (this.#marking === 0) this.marked.value = new Set(state.marked);
    });
    if (state.number !== this.#number) void this.#fetchFeatures(state.number);
  }

  async #fetchFeatures(number: number): Promise<void> {
    this.#number = number;
    try {
      this.features.value = await this.host.api.features({});
    } catch (error) {
      this.#number = -1;
      this.failure.value = reasonOf(error);
    }
  }

  /** Marks a feature as unintended, or takes the mark away. */
  mark(key: string, isMarked: boolean): void {
    const marked = new Set(this.marked.peek());
    if (isMarked) marked.add(key);
    else marked.delete(key);
    this.#setMarks(marked);
  }

  clearMarks = (): void => this.#setMarks(new Set());

  /** Marks those that the generator knows to be gender, beside what is marked. */
  markKnown = (): void => {
    const known = this.features.peek().filter(({ isGender }) => isGender);
    this.#setMarks(new Set([...this.marked.peek(), ...known.map(({ feature }) => shiftKey(feature))]));
  };

  /** Marks those that the list is narrowed to, beside what is marked. */
  markShown = (): void => {
    const shown = this.shown.peek().map(({ feature }) => shiftKey(feature));
    this.#setMarks(new Set([...this.marked.peek(), ...shown]));
  };

  #setMarks(marked: ReadonlySet<string>): void {
    this.marked.value = marked;
    this.#marking++;
    this.host.api
      .mark({ keys: [...marked] })
      .catch((error: unknown) => console.error(reasonOf(error)))
      .finally(() => this.#marking--);
  }

  /** Opens a feature's examples; again, closes them. */
  toggle(key: string): void {
    this.open.value = this.open.peek() === key ? '' : key;
  }

  ablate = (): void => this.#wish(this.host.api.ablate({}));
  cancel = (): void => this.#wish(this.host.api.cancel({}));
  start = (): void => this.#wish(this.host.api.start({}));

  label({ feature }: ShiftFeature): void {
    this.#wish(this.host.api.labelFeature({ feature }));
  }

  copy({ feature }: ShiftFeature): void {
    this.#wish(this.host.api.copyFeature({ feature }));
  }

  run(command: ViewCommand): void {
    this.#wish(this.host.api.runCommand({ command }));
  }

  /** The host tells about failures itself; the view only asks what is true now. */
  #wish(answer: Promise<unknown>): void {
    answer.catch((error: unknown) => console.error(reasonOf(error))).finally(() => void this.refresh());
  }
}
