/** Where the numbers of a report are written. Pure. */

/** The path of a report with another ending, which no other kind of file has: `notes.md` goes with `notes.ioi-study.json`. */
export function numbersPath(report: string): string {
  return `${report.replace(/\.md$/i, '').replace(/\.ioi$/, '')}.ioi-study.json`;
}
