/** A component that draws again only when one of its properties is another value. */

import { Component } from 'preact';

/** Base of components that stand in long lists; give them plain values and stable functions. */
export abstract class PureComponent<Props extends object> extends Component<Props> {
  override shouldComponentUpdate(next: Props): boolean {
    const before = this.props as Readonly<Record<string, unknown>>;
    const after = next as Readonly<Record<string, unknown>>;
    for (const name in after) if (after[name] !== before[name]) return true;
    for (const name in before) if (!(name in after)) return true;
    return false;
  }
}
