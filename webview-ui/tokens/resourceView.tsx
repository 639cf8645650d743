/** Draws a fetched thing: the last good one while a newer is on its way, else why there is none. */

import type { JSX } from 'preact';
import { Note } from '../lib/message.tsx';
import type { ResourceState } from '../lib/resource.ts';
import { say, strings } from '../lib/strings.ts';

/** `children` draws the value. */
export function ResourceView<T>(props: {
  readonly state: ResourceState<T>;
  readonly children: (value: T) => JSX.Element;
}): JSX.Element {
  const { value, loading, error } = props.state;
  if (error !== undefined) return <Note text={say('failed', { reason: error })} />;
  if (value !== undefined) return <div aria-busy={loading}>{props.children(value)}</div>;
  return <p class="note quiet">{strings.computing}</p>;
}
