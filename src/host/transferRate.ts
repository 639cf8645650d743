/** How fast a download is, from what arrived in the last seconds. */

interface Sample {
  readonly time: number;
  readonly bytes: number;
}

/** Milliseconds over which the rate is taken. */
const span = 4000;

/** Watches a growing number of bytes. */
export class TransferRate {
  private samples: Sample[] = [];

  /** Bytes per second after `bytes` in all have arrived at `time` (in milliseconds); 0 as long as it cannot be told. */
  add(bytes: number, time: number): number {
    this.samples.push({ time, bytes });
    while (this.samples.length > 2 && time - this.samples[0]!.time > span) this.samples.shift();
    const [first] = this.samples;
    const elapsed = time - first!.time;
    return elapsed < 500 ? 0 : Math.max(0, (1000 * (bytes - first!.bytes)) / elapsed);
  }
}
