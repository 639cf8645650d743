/** A small heading with the token it is about, e.g. "Strongest features on · Paris". */

import type { ComponentChildren, JSX } from 'preact';
import { TokenText } from '../lib/tokenText.tsx';

/** `template` holds `{token}`; what follows stands quietly at the end of the line. */
export function TokenHeading(props: {
  readonly template: string;
  readonly text: string;
  readonly children?: ComponentChildren;
}): JSX.Element {
  const [before, after = ''] = props.template.split('{token}') as [string, string?];
  return (
    <div class="heading">
      <h2>
        {before}
        <TokenText text={props.text} />
        {after}
      </h2>
      {props.children}
    </div>
  );
}
