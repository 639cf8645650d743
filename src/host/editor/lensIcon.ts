/** The icon before the words of a CodeLens. VS Code swallows a plain space behind it, so that it would touch the words. */

/** @param icon a name of VS Code's product icons, such as `eye` */
export function withIcon(icon: string, words: string): string {
  return `$(${icon})\u00a0${words}`;
}
