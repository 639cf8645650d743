/**
 * Reads Python pickles (protocols 2 to 5) of hostile origin. Only plain containers, numbers and texts are built, and
 * what a given vocabulary of names builds from them; nothing is ever looked up or called by a name of the file.
 * Format: CPython's Lib/pickletools.py.
 */
import { malformed, shorten } from './fileErrors.ts';
import { PickleBytes, PickleTruncated } from './pickleBytes.ts';
import { PickleStack, type PickleValue } from './pickleStack.ts';

/** A name that a pickle may mention, and what stands for it; `build` takes the arguments it is called with. */
export class PickleGlobal {
  constructor(
    /** Module and name, as Python says them: `collections.OrderedDict`. */
    readonly name: string,
    /** Absent for names that only stand for themselves, such as `torch.float32`. */
    readonly build?: (args: readonly PickleValue[]) => PickleValue,
  ) {}
}

/** What a reader allows a pickle to say, beyond plain values. */
export interface PickleVocabulary {
  /** By `module.name`. A name that is not here is refused, and the pickle with it. */
  readonly globals: ReadonlyMap<string, PickleGlobal>;
  /** The object behind a persistent id. @throws file.malformed */
  persistent?(id: PickleValue): PickleValue;
}

/** Opcodes (one byte each) in a pickle; a checkpoint of a thousand tensors has some 30,000. */
const maxOperations = 1_000_000;

export interface ReadPickle {
  readonly value: PickleValue;
  /** Bytes the pickle takes. */
  readonly length: number;
}

/**
 * Reads the pickle at the start of `bytes`. `field` names it in messages.
 * @throws file.malformed at the byte where it is damaged, names something outside the vocabulary, or would take too much
 * memory.
 */
export function readPickle(
  path: string,
  field: string,
  bytes: Uint8Array,
  vocabulary: PickleVocabulary,
): ReadPickle {
  try {
    return readPickleStart(path, field, bytes, vocabulary);
  } catch (error) {
    if (!(error instanceof PickleTruncated)) throw error;
    throw malformed(path, field, 'a whole pickle', 'one that ends too early');
  }
}

/** As `readPickle`, but throws `PickleTruncated` when `bytes` end before the pickle does: more of the file may help. */
export function readPickleStart(
  path: string,
  field: string,
  bytes: Uint8Array,
  vocabulary: PickleVocabulary,
): ReadPickle {
  const machine = new PickleMachine(path, field, bytes, vocabulary);
  return { value: machine.run(), length: machine.position };
}

type Operation = (machine: PickleMachine) => void;

class PickleMachine {
  readonly bytes: PickleBytes;
  readonly stack: PickleStack;
  readonly memo = new Map<number, PickleValue>();

  constructor(
    readonly path: string,
    readonly field: string,
    bytes: Uint8Array,
    readonly vocabulary: PickleVocabulary,
  ) {
    this.bytes = new PickleBytes(path, field, bytes);
    this.stack = new PickleStack((expected, found) => this.fault(expected, found));
  }

  get position(): number {
    return this.bytes.position;
  }

  run(): PickleValue {
    for (let count = 0; count < maxOperations; count++) {
      const code = this.bytes.uint8();
      if (code === stop) return this.stack.pop();
      const operation = operations.get(code);
      if (!operation) throw this.unknown(code);
      operation(this);
    }
    throw this.fault(`at most ${maxOperations} operations`, 'more');
  }

  push(value: PickleValue): void {
    this.stack.push(value);
  }

  remember(key: number): void {
    this.memo.set(key, this.stack.top());
  }

  recall(key: number): void {
    if (!this.memo.has(key)) throw this.fault('something remembered before', `memo ${key}`);
    this.push(this.memo.get(key)!);
  }

  /** The name must be one of the vocabulary: nothing of the file chooses what runs. */
  pushGlobal(module: string, name: string): void {
    const full = `${module}.${name}`;
    const known = this.vocabulary.globals.get(full);
    if (!known) throw this.fault('only tensors and plain values (other names are never run)', full);
    this.push(known);
  }

  call(): void {
    const args = this.stack.pop();
    const callee = this.stack.pop();
    if (!Array.isArray(args)) throw this.fault('a tuple of arguments', describe(args));
    if (!(callee instanceof PickleGlobal) || !callee.build) {
      throw this.fault('something that builds a tensor or plain value', describe(callee));
    }
    this.push(callee.build(args));
  }

  /** State is only ever given to dictionaries here: PyTorch hangs the versions of modules on them, which nobody needs. */
  setState(): void {
    this.stack.pop();
    const target = this.stack.top();
    if (!(target instanceof Map)) throw this.fault('state for an OrderedDict only', describe(target));
  }

  pushPersistent(): void {
    const id = this.stack.pop();
    const { persistent } = this.vocabulary;
    if (!persistent) throw this.fault('no persistent ids', describe(id));
    this.push(persistent(id));
  }

  fault(expected: string, found: unknown): Error {
    return malformed(this.path, `${this.field} at byte ${this.position}`, expected, found);
  }

  private unknown(code: number): Error {
    const name = refused.get(code) ?? `byte 0x${code.toString(16)}`;
    return this.fault('an operation that builds tensors or plain values', name);
  }
}

function describe(value: PickleValue): unknown {
  if (value instanceof PickleGlobal) return value.name;
  if (value instanceof Map) return 'a dictionary';
  return value !== null && typeof value === 'object' ? value.constructor.name : value;
}

const stop = 0x2e;

/** Operations that run code by name, or that only protocol 0 has, by the names pickletools gives them. */
const refused = new Map<number, string>([
  [0x69, 'INST'],
  [0x6f, 'OBJ'],
  [0x50, 'PERSID'],
  [0x82, 'EXT1'],
  [0x83, 'EXT2'],
  [0x84, 'EXT4'],
  [0x92, 'NEWOBJ_EX'],
  [0x97, 'NEXT_BUFFER'],
  [0x98, 'READONLY_BUFFER'],
  [0x46, 'FLOAT'],
  [0x49, 'INT'],
  [0x4c, 'LONG'],
  [0x53, 'STRING'],
  [0x56, 'UNICODE'],
  [0x67, 'GET'],
  [0x70, 'PUT'],
]);

const operations: ReadonlyMap<number, Operation> = new Map<number, Operation>([
  // Frame of the pickle
  [0x80, protocol],
  [0x95, ({ bytes }) => bytes.frame()],
  // Plain values
  [0x4e, (m) => m.push(null)],
  [0x88, (m) => m.push(true)],
  [0x89, (m) => m.push(false)],
  [0x4a, (m) => m.push(m.bytes.int32())],
  [0x4b, (m) => m.push(m.bytes.uint8())],
  [0x4d, (m) => m.push(m.bytes.uint16())],
  [0x8a, (m) => m.push(m.bytes.long(m.bytes.uint8()))],
  [0x8b, (m) => m.push(m.bytes.long(m.bytes.uint32()))],
  [0x47, (m) => m.push(m.bytes.float64())],
  [0x58, (m) => m.push(m.bytes.text(m.bytes.uint32()))],
  [0x8c, (m) => m.push(m.bytes.text(m.bytes.uint8()))],
  [0x8d, (m) => m.push(m.bytes.text(m.bytes.uint64()))],
  // Texts of Python 2: bytes that are nearly always ASCII
  [0x54, (m) => m.push(m.bytes.text(m.bytes.uint32()))],
  [0x55, (m) => m.push(m.bytes.text(m.bytes.uint8()))],
  [0x42, (m) => m.push(m.bytes.take(m.bytes.uint32()))],
  [0x43, (m) => m.push(m.bytes.take(m.bytes.uint8()))],
  [0x8e, (m) => m.push(m.bytes.take(m.bytes.uint64()))],
  [0x96, (m) => m.push(m.bytes.take(m.bytes.uint64()))],
  // Stack and memo
  [0x28, (m) => m.stack.mark()],
  [0x30, (m) => m.stack.discard()],
  [0x31, (m) => void m.stack.popMark()],
  [0x32, (m) => m.push(m.stack.top())],
  [0x68, (m) => m.recall(m.bytes.uint8())],
  [0x6a, (m) => m.recall(m.bytes.uint32())],
  [0x71, (m) => m.remember(m.bytes.uint8())],
  [0x72, (m) => m.remember(m.bytes.uint32())],
  [0x94, (m) => m.remember(m.memo.size)],
  // Containers; a tuple is a list that nobody changes
  [0x5d, (m) => m.push([])],
  [0x6c, (m) => m.push(m.stack.popMark())],
  [0x61, (m) => m.stack.append([m.stack.pop()])],
  [0x65, (m) => m.stack.append(m.stack.popMark())],
  [0x29, (m) => m.push([])],
  [0x74, (m) => m.push(m.stack.popMark())],
  [0x85, (m) => m.push(m.stack.popMany(1))],
  [0x86, (m) => m.push(m.stack.popMany(2))],
  [0x87, (m) => m.push(m.stack.popMany(3))],
  [0x7d, (m) => m.push(new Map())],
  [0x64, (m) => m.stack.pushDictionary(m.stack.popMark())],
  [0x73, (m) => m.stack.setItems(m.stack.popMany(2))],
  [0x75, (m) => m.stack.setItems(m.stack.popMark())],
  [0x8f, (m) => m.push(new Set())],
  [0x90, (m) => m.stack.addItems(m.stack.popMark())],
  [0x91, (m) => m.push(new Set(m.stack.popMark()))],
  // Names, calls, state
  [0x63, (m) => m.pushGlobal(m.bytes.line(), m.bytes.line())],
  [0x93, stackGlobal],
  [0x52, (m) => m.call()],
  [0x81, (m) => m.call()],
  [0x62, (m) => m.setState()],
  [0x51, (m) => m.pushPersistent()],
]);

function protocol(machine: PickleMachine): void {
  const version = machine.bytes.uint8();
  if (version < 2 || version > 5) throw machine.fault('protocol 2 to 5', version);
}

function stackGlobal(machine: PickleMachine): void {
  const [module, name] = machine.stack.popMany(2);
  if (typeof module !== 'string' || typeof name !== 'string') {
    throw machine.fault('the texts of a module and a name', shorten(String(describe(module ?? null))));
  }
  machine.pushGlobal(module, name);
}
