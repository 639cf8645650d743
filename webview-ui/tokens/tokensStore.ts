/** What the token panel knows: the host's last answer, the reader's place, and what was asked for on demand. */

import { batch, type Signal, signal } from '@preact/signals';
import type { AttentionPattern, LogitLens, ResidualAttribution } from '../../src/shared/analysis.ts';
import type { FeatureAttribution } from '../../src/shared/attributionApi.ts';
import type { FeatureInfo, FeatureRef } from '../../src/shared/domain.ts';
import type { TokensState, TokensViewApi, ViewCommand } from '../../src/shared/viewApi.ts';
import type { Host } from '../lib/host.ts';
import { Refresher } from '../lib/refresher.ts';
import { Resource, reasonOf } from '../lib/resource.ts';
import type { SavedState } from '../lib/savedState.ts';

/** The tabs under the token strip. */
export type TokensTab = 'features' | 'next' | 'lens' | 'attention' | 'attribution';

/** Names a feature within the panel. */
export function featureKey(feature: FeatureRef): string {
  return `${feature.index}@${feature.sae}`;
}

/** State and wishes of the token panel. Components read the signals and call the methods. */
export class TokensStore {
  readonly state = signal<TokensState | undefined>(undefined);
  readonly failure = signal<string | undefined>(undefined);
  /** Selected position; ahead of the host while a click is on its way. */
  readonly selected = signal(-1);
  /** Position under the pointer or the keyboard focus. */
  readonly hovered = signal<number | undefined>(undefined);
  /** Position lit up from another mark, e.g. an attention source. */
  readonly highlighted = signal<number | undefined>(undefined);
  readonly expanded = signal<string | undefined>(undefined);

  readonly tab: Signal<TokensTab>;
  readonly attentionLayer: Signal<number>;
  readonly attentionHead: Signal<number>;
  readonly lensRow: Signal<number>;
  /** Whether the attribution is by the chosen SAE's features instead of by component. */
  readonly byFeature: Signal<boolean>;
  /** The wish of another panel that was followed last. */
  readonly #wishSeen: Signal<number>;

  readonly lens = new Resource<LogitLens>();
  readonly attention = new Resource<AttentionPattern>();
  readonly attribution = new Resource<ResidualAttribution>();
  readonly featureAttribution = new Resource<FeatureAttribution>();
  readonly card = new Resource<FeatureInfo>();

  readonly #refresher: Refresher<TokensState>;
  #selections = 0;

  constructor(
    readonly host: Host<TokensViewApi>,
    saved: SavedState,
  ) {
    this.tab = saved.signal<TokensTab>('tab', 'features');
    this.attentionLayer = saved.signal('attentionLayer', 0);
    this.attentionHead = saved.signal('attentionHead', 0);
    this.lensRow = saved.signal('lensRow', -1);
    this.byFeature = saved.signal('attributionByFeature', false);
    this.#wishSeen = saved.signal('wishSeen', 0);
    this.#refresher = new Refresher(
      () => host.api.state({}),
      (state) => this.#accept(state),
      (reason) => {
        this.failure.value = reason;
      },
    );
    host.on('changed', () => void this.refresh());
    host.on('selectionChanged', ({ position }) => {
      this.selected.value = position;
      void this.refresh();
    });
  }

  /** Asks the host what is true now. */
  refresh(): Promise<void> {
    return this.#refresher.refresh();
  }

  #accept(state: TokensState): void {
    batch(() => {
      this.failure.value = undefined;
      this.state.value = state;
      // A selection that is still on its way is newer than the one in this answer.
      if (this.#selections === 0) this.selected.value = state.selected;
      this.#followWish(state.headWish);
    });
  }

  #followWish(wish: TokensState['headWish']): void {
    if (!wish || wish.number <= this.#wishSeen.peek()) return;
    this.#wishSeen.value = wish.number;
    this.tab.value = 'attention';
    this.attentionLayer.value = wish.layer;
    this.attentionHead.value = wish.head;
  }

  /** Selects a token here and in the editor. */
  selectToken(position: number, reveal = true): void {
    if (position === this.selected.peek()) return;
    this.selected.value = position;
    this.#selections++;
    const answered = this.host.api.selectToken({ position, reveal });
    void this.#wish(answered.finally(() => this.#selections--));
  }

  /** Opens a feature's card here and makes it the one selected feature everywhere. */
  openFeature(feature: FeatureRef): void {
    const key = featureKey(feature);
    const closes = this.expanded.peek() === key;
    this.expanded.value = closes ? undefined : key;
    void this.#wish(this.host.api.selectFeature({ feature: closes ? undefined : feature }));
  }

  /** Opens the strongest feature of the selected token. */
  openStrongest(): void {
    const feature = this.state.peek()?.features[0];
    if (!feature) return;
    this.tab.value = 'features';
    if (this.expanded.peek() !== featureKey(feature)) this.openFeature(feature);
  }

  pinFeature(feature: FeatureRef, pinned: boolean): void {
    const { sae, index } = feature;
    void this.#wish(this.host.api.pinFeature({ feature: { sae, index }, pinned }));
  }

  clearPins(): void {
    for (const feature of this.state.peek()?.pinned ?? []) this.pinFeature(feature, false);
  }

  ablateHead(layer: number, head: number): void {
    void this.#wish(this.host.api.ablateHead({ layer, head }));
  }

  ablateFeature({ sae, index }: FeatureRef): void {
    void this.#wish(this.host.api.ablateFeature({ feature: { sae, index } }));
  }

  steerFeature({ sae, index }: FeatureRef): void {
    void this.#wish(this.host.api.steerFeature({ feature: { sae, index } }));
  }

  copyFeature({ sae, index }: FeatureRef): void {
    void this.#wish(this.host.api.copyFeature({ feature: { sae, index } }));
  }

  chooseSae(sae: string): void {
    void this.#wish(this.host.api.chooseSae({ sae }));
  }

  run(command: ViewCommand): void {
    void this.#wish(this.host.api.runCommand({ command }));
  }

  /** The host tells about failures itself; the view only asks what is true now. */
  async #wish(answer: Promise<unknown>): Promise<void> {
    try {
      await answer;
    } catch (error) {
      console.error(reasonOf(error));
    }
    await this.refresh();
  }
}
