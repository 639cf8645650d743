/** One line on the terminal that tells how far long work has come; silent when nobody watches. */

import type { Progress } from '../shared/domain.ts';

/** Shows progress on `stream` when it is a terminal. */
export function progressLine(stream: NodeJS.WriteStream): { show(progress: Progress): void; clear(): void } {
  let shown = false;
  return {
    show({ done, total, what }) {
      if (!stream.isTTY) return;
      const share = total > 0 ? ` ${Math.floor((100 * done) / total)} %` : '';
      stream.write(`\r\u001b[2K${what}${share}`);
      shown = true;
    },
    clear() {
      if (shown) stream.write('\r\u001b[2K');
      shown = false;
    },
  };
}
