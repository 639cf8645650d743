/** What the study panel knows: the host's last answer, and the head that the reader has chosen. */

import { batch, computed, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import type { StudiedHead, StudyHead, StudySoFar } from '../../src/shared/study.ts';
import type { StudyState, StudyViewApi } from '../../src/shared/studyViewApi.ts';
import type { ViewCommand } from '../../src/shared/viewApi.ts';
import type { Host } from '../lib/host.ts';
import { Refresher } from '../lib/refresher.ts';
import { reasonOf } from '../lib/resource.ts';
import type { SavedState } from '../lib/savedState.ts';

/** State and wishes of the study panel. */
export class StudyStore {
  readonly state = signal<StudyState | undefined>(undefined);
  readonly failure = signal<string | undefined>(undefined);
  /** `layer.head`, or nothing. */
  readonly chosen: Signal<string>;
  readonly head: ReadonlySignal<StudiedHead | undefined>;
  /** What there is of the study; the same object as long as nothing new was found, so that plots are not drawn again. */
  readonly study = signal<StudySoFar | undefined>(undefined);
  #text = '';
  readonly #refresher: Refresher<StudyState>;

  constructor(
    readonly host: Host<StudyViewApi>,
    saved: SavedState,
  ) {
    this.chosen = saved.signal('head', '');
    this.head = computed(() =>
      this.study.value?.heads?.find(({ layer, head }) => `${layer}.${head}` === this.chosen.value),
    );
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

  #accept(state: StudyState): void {
    const text = JSON.stringify([state.id, state.finished, state.study?.provenance, state.study?.behaviour]);
    batch(() => {
      this.failure.value = undefined;
      this.state.value = state;
      if (text !== this.#text) {
        this.#text = text;
        this.study.value = state.study;
      }
    });
  }

  /** Chooses a head; again, none. */
  choose({ layer, head }: StudyHead): void {
    const name = `${layer}.${head}`;
    this.chosen.value = this.chosen.peek() === name ? '' : name;
  }

  closeHead(): void {
    this.chosen.value = '';
  }

  /** Shows another study that is kept. */
  show(id: string): void {
    this.#wish(this.host.api.choose({ id }));
  }

  start = (): void => this.#wish(this.host.api.start({}));
  resume = (): void => this.#wish(this.host.api.resume({}));
  cancel = (): void => this.#wish(this.host.api.cancel({}));
  saveReport = (): void => this.#wish(this.host.api.saveReport({}));
  openCircuit = (): void => this.#wish(this.host.api.openCircuit({}));

  showHead({ layer, head }: StudyHead): void {
    this.#wish(this.host.api.showHead({ layer, head }));
  }

  ablateHead({ layer, head }: StudyHead): void {
    this.#wish(this.host.api.ablateHead({ layer, head }));
  }

  run(command: ViewCommand): void {
    this.#wish(this.host.api.runCommand({ command }));
  }

  /** The host tells about failures itself; the view only asks what is true now. */
  #wish(answer: Promise<unknown>): void {
    answer.catch((error: unknown) => console.error(reasonOf(error))).finally(() => void this.refresh());
  }
}
