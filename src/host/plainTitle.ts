/** Names from files and the hub, made harmless for places where VS Code reads icons or links out of text. */

/** The text without icons of its own: `$(warning)` stays those letters. */
export function plainTitle(text: string): string {
  return text.replaceAll('$(', '$ (');
}

/** The text for a notification, without links of its own: notifications make them out of `[text](address)`. */
export function plainMessage(text: string): string {
  return text.replaceAll('](', '] (');
}
