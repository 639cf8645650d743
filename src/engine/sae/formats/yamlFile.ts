/** Reads YAML configs of other libraries: plain data only, bounded in size and in what its aliases unfold to. */
import { readFile, stat } from 'node:fs/promises';
import type * as v from 'valibot';
import type { Document } from 'yaml';
import { fileError, malformed, shorten } from '../../files/fileErrors.ts';
import { checkJson } from '../../files/json.ts';

/** Configs take a few kilobytes; lists of a hundred transcoders some ten. */
const maxBytes = 1024 * 1024;
const maxDepth = 100;

/**
 * The content of `path` as `schema` gives it.
 * @throws file.missing, file.unreadable, file.malformed.
 */
export async function readYaml<const S extends v.GenericSchema>(
  path: string,
  schema: S,
): Promise<v.InferOutput<S>> {
  const text = await readText(path);
  checkNesting(path, text);
  // A large library that few SAEs need.
  const { parseDocument } = await import('yaml');
  const document = parseDocument(text, { schema: 'core', merge: false });
  const fault = document.errors[0];
  if (fault) throw malformed(path, 'the content', 'YAML', shorten(fault.message));
  return checkJson(path, plainContent(path, document), schema);
}

/**
 * Configs nest a few levels. The parser works by recursion, and on some texts that nest thousands deep the whole process
 * runs out of memory, so depth is bounded before it sees them.
 */
function checkNesting(path: string, text: string): void {
  let brackets = 0;
  for (const [line, content] of text.split('\n').entries()) {
    const start = /^(?:[ \t]|[-?:](?=[ \t]))*/.exec(content)![0].length;
    for (const character of content) {
      if (character === '[' || character === '{') brackets += 1;
      else if (character === ']' || character === '}') brackets = Math.max(0, brackets - 1);
      if (brackets > maxDepth) break;
    }
    if (start > 2 * maxDepth || brackets > maxDepth) {
      throw malformed(path, `line ${line + 1}`, `nesting of at most ${maxDepth} levels`, 'deeper nesting');
    }
  }
}

function plainContent(path: string, document: Pick<Document, 'toJS'>): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    throw malformed(path, 'the content', 'plain YAML', shorten(error instanceof Error ? error.message : ''));
  }
}

async function readText(path: string): Promise<string> {
  try {
    const info = await stat(path);
    if (!info.isFile()) throw malformed(path, 'file', 'a regular file', 'a folder or device');
    if (info.size > maxBytes) throw malformed(path, 'file size', `at most ${maxBytes} bytes`, info.size);
    return await readFile(path, 'utf8');
  } catch (error) {
    throw fileError(path, error);
  }
}
