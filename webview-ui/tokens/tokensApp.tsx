/** The token panel from top to bottom: model, contrast, tokens, and tabs about the selected token. */

import type { JSX } from 'preact';
import { Activity, Connecting, Message } from '../lib/message.tsx';
import { say, strings } from '../lib/strings.ts';
import { type Tab, Tabs } from '../lib/tabs.tsx';
import { AttentionTab } from './attentionTab.tsx';
import { AttributionTab } from './attributionTab.tsx';
import { ContrastLine } from './contrastLine.tsx';
import { FeaturesTab } from './featuresTab.tsx';
import { Header } from './header.tsx';
import { LensTab } from './lensTab.tsx';
import { NextTokenTab } from './nextTokenTab.tsx';
import { StripSection } from './stripSection.tsx';
import type { TokensStore, TokensTab } from './tokensStore.ts';

const tabs: readonly Tab<TokensTab>[] = [
  { id: 'features', title: strings.tabFeatures },
  { id: 'next', title: strings.tabNext },
  { id: 'lens', title: strings.tabLens },
  { id: 'attention', title: strings.tabAttention },
  { id: 'attribution', title: strings.tabAttribution },
];

const panels: { readonly [T in TokensTab]: (props: { readonly store: TokensStore }) => JSX.Element } = {
  features: FeaturesTab,
  next: NextTokenTab,
  lens: LensTab,
  attention: AttentionTab,
  attribution: AttributionTab,
};

/** The whole panel. */
export function TokensApp({ store }: { readonly store: TokensStore }): JSX.Element {
  const state = store.state.value;
  if (!state) {
    return (
      <main class="app">
        <Connecting failure={store.failure.value} retry={() => void store.refresh()} />
      </main>
    );
  }
  const Panel = panels[store.tab.value] ?? FeaturesTab;
  return (
    <main class="app">
      <h1 class="sr-only">{say('tokensHeading', { title: state.title })}</h1>
      <Activity active={state.computing} />
      {state.model && <Header store={store} state={state} model={state.model} />}
      {state.message ? (
        <Message message={state.message} run={(command) => store.run(command)} />
      ) : (
        state.strip && (
          <>
            <ContrastLine store={store} state={state} />
            <StripSection store={store} />
            <Tabs
              label={strings.tabsLabel}
              tabs={tabs}
              chosen={store.tab.value}
              choose={(tab) => {
                store.tab.value = tab;
              }}
            >
              <Panel store={store} />
            </Tabs>
          </>
        )
      )}
    </main>
  );
}
