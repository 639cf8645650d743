/** Finds keys that an object of a JSON text has twice: parsing keeps the last value and says nothing. */

/**
 * The first key that one object of `text` has twice, as it is read (escapes resolved); undefined when there is none.
 * `text` is JSON that has been parsed before: of other texts nothing is promised.
 */
export function doubledKey(text: string): string | undefined {
  const tokens = /"(?:[^"\\]|\\.)*"|[{}[\]:,]/g;
  // The keys of every object that is open; lists have none.
  const open: (Set<string> | undefined)[] = [];
  let isKey = false;
  for (let found = tokens.exec(text); found; found = tokens.exec(text)) {
    const [token] = found;
    if (token === '{' || token === '[') open.push(token === '{' ? new Set() : undefined);
    else if (token === '}' || token === ']') open.pop();
    const keys = open.at(-1);
    if (isKey && token.startsWith('"')) {
      const key = JSON.parse(token) as string;
      if (keys?.has(key)) return key;
      keys?.add(key);
    }
    // A key follows an object's brace, and a comma in an object.
    isKey = token === '{' || (token === ',' && keys !== undefined);
  }
  return undefined;
}
