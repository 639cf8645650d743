/** Finds the token of each role, in both prompts of a pair at the same place, or says why there is none. */
import {
  type TaskProblem,
  type TaskProblemCode,
  type TaskProblemData,
  taskError,
} from '../../shared/taskProblem.ts';
import { shorten } from '../files/fileErrors.ts';
import type { Encoding, Tokenizer } from '../model/tokenizer.ts';
import { alignSpan, locateRole, type RoleText, type Span } from './roles.ts';
import type { TaskLine } from './taskFile.ts';

/** Both prompts of a pair, encoded without special tokens. They have as many tokens. */
export interface PairEncodings {
  readonly clean: Encoding;
  readonly corrupted: Encoding;
}

/** Index of each role's last token in the encodings, and the roles that have none. */
export interface PlacedRoles {
  readonly places: readonly (readonly [role: string, index: number])[];
  readonly problems: readonly TaskProblem[];
}

/** Places the roles of a line. */
export function placeRoles(line: TaskLine, encodings: PairEncodings, tokenizer: Tokenizer): PlacedRoles {
  const places: (readonly [string, number])[] = [];
  const problems: TaskProblem[] = [];
  for (const [role, text] of Object.entries(line.roles)) {
    const place = placeRole(line, [role, text], encodings, tokenizer);
    if (typeof place === 'number') places.push([role, place]);
    else problems.push(place);
  }
  return { places, problems };
}

function placeRole(
  line: TaskLine,
  [role, text]: readonly [string, RoleText],
  encodings: PairEncodings,
  tokenizer: Tokenizer,
): number | TaskProblem {
  const error = <C extends TaskProblemCode>(code: C, data: TaskProblemData[C]): TaskProblem =>
    taskError(line.line, code, data, 'roles');
  const span = locateRole(role, text, line.clean);
  if ('code' in span) return error(span.code, span.data);
  const ending = (field: 'clean' | 'corrupted', part: Span): number | TaskProblem => {
    const { index, isPart } = tokenEnding(encodings[field], part);
    if (!isPart) return index;
    const token = JSON.stringify(tokenizer.tokenText(encodings[field].ids[index]!));
    return error('roleInToken', {
      role,
      field,
      words: shorten(line[field].slice(part.start, part.end)),
      token,
    });
  };
  const clean = ending('clean', span);
  if (typeof clean !== 'number') return clean;
  const other = alignSpan(line.clean, line.corrupted, span);
  if (!other)
    return error('roleNotAligned', { role, words: shorten(line.clean.slice(span.start, span.end)) });
  const corrupted = ending('corrupted', other);
  if (typeof corrupted !== 'number') return corrupted;
  return clean === corrupted
    ? clean
    : error('roleMoved', { role, clean: clean + 1, corrupted: corrupted + 1 });
}

/** The token with the last character of a span, and whether the span is only a part of that token. */
function tokenEnding({ starts, ends }: Encoding, { start, end }: Span): { index: number; isPart: boolean } {
  let index = 0;
  while (index + 1 < starts.length && starts[index + 1]! < end) index++;
  // A token that begins a word usually has the space before it.
  return { index, isPart: ends[index]! > end || starts[index]! < start - 1 };
}
