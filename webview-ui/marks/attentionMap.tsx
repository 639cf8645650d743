/** One head's attention as a small picture: queries from top to bottom, keys from left to right. */

import type { JSX } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { mix, type Palette } from '../lib/color.ts';
import { PureComponent } from '../lib/pureComponent.ts';
import { poolPattern } from './attentionPattern.ts';

/** What is drawn. The pattern holds `[head, position, position]`. */
export interface AttentionMapProps {
  readonly pattern: Float32Array;
  readonly head: number;
  readonly positions: number;
  /** Most pixels per side; longer prompts are pooled by their largest weight. */
  readonly resolution: number;
  readonly palette: Palette;
  /** Says what is seen, where no button around it does. */
  readonly label?: string;
}

/** The picture. The selected row is marked by whoever places it. */
export class AttentionMap extends PureComponent<AttentionMapProps> {
  override render(props: AttentionMapProps): JSX.Element {
    return <Picture {...props} />;
  }
}

function Picture(props: AttentionMapProps): JSX.Element {
  const canvas = useRef<HTMLCanvasElement>(null);
  const { pattern, head, positions, resolution, palette } = props;
  const size = Math.max(1, Math.min(positions, resolution));
  useLayoutEffect(() => {
    const context = canvas.current?.getContext('2d');
    if (!context) return;
    const weights = poolPattern(pattern, head, positions, size);
    const image = context.createImageData(size, size);
    weights.forEach((weight, i) => {
      // The square root keeps weak attention visible beside the strong.
      const color = mix(palette.background, palette.heat, Math.sqrt(weight));
      image.data.set([color[0], color[1], color[2], 255], i * 4);
    });
    context.putImageData(image, 0, 0);
  }, [pattern, head, positions, size, palette]);
  return (
    <canvas
      ref={canvas}
      class="attention-map"
      width={size}
      height={size}
      role={props.label ? 'img' : undefined}
      aria-label={props.label}
      aria-hidden={props.label ? undefined : 'true'}
    />
  );
}
