/** What rests on few prompts, in words: one text for the command line, results and panels. */

/** Prompts behind a mean below which it is mostly chance. */
export const fewPrompts = 5;

/** What to say of numbers that rest on means over `count` prompts, or draws from as many; undefined when they are enough. */
export function fewPromptsWarning(count: number | undefined): string | undefined {
  if (count === undefined || count >= fewPrompts) return undefined;
  if (count <= 1) {
    return 'Some means or draws rest on one prompt, so nothing is averaged over prompts: by position, this is patching that prompt in. Use more pairs of each template and length.';
  }
  return `Some means or draws rest on ${count} prompts: below ${fewPrompts} they are mostly chance. Use more pairs of each template and length.`;
}
