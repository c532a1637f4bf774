import { BSON, type Document } from 'mongodb';
import { DrError } from '../../domain/errors.ts';
import { ARRAY, BsonProblem, DOCUMENT, fieldOf, fieldsOf, type Field } from './bson.ts';
import { isOwn } from './client.ts';

/** An entry of an oplog as what it does to one database. Pure; documents stay bytes. */

export type Change =
  | { readonly kind: 'insert'; readonly collection: string; readonly id: Field; readonly document: Buffer }
  | { readonly kind: 'update'; readonly collection: string; readonly id: Field; readonly update: Buffer }
  | { readonly kind: 'delete'; readonly collection: string; readonly id: Field }
  | { readonly kind: 'create'; readonly collection: string; readonly options: Document }
  | { readonly kind: 'index'; readonly collection: string; readonly index: Document };

/** Numbers keep their types, as in the metadata of a dump. */
const EXACT = { promoteValues: false, bsonRegExp: true } as const;

/** Nothing that a restored database would have: notes, and the building of an index before it is there. */
const WITHOUT_EFFECT = ['startIndexBuild', 'abortIndexBuild', 'abortTransaction'];

/**
 * In their order: a transaction is one entry with many. What touches other databases, the server's own collections or
 * ours is nothing.
 *
 * @throws DrError DATA_UNPROVEN for what cannot be replayed: its entry and the kind are named.
 */
export function changesOf(entry: Buffer, database: string): Change[] {
  try {
    return changes(entry, database, entry);
  } catch (error) {
    if (error instanceof BsonProblem || error instanceof RangeError)
      throw unsupported(entry, error.message, error);
    throw error;
  }
}

function changes(operation: Buffer, database: string, entry: Buffer): Change[] {
  const op = string(operation, 'op');
  if (op === 'n') return [];
  const namespace = string(operation, 'ns');
  const body = document(operation, 'o');
  if (op === 'c') return command(body, namespace, database, entry);
  if (!namespace.startsWith(`${database}.`)) return [];
  const collection = namespace.slice(database.length + 1);
  // The definitions of views.
  if (collection === 'system.views') throw unsupported(entry, 'a view that was made or changed');
  if (isOwn(collection)) return [];
  switch (op) {
    case 'i':
      return [{ kind: 'insert', collection, id: idOf(body), document: body }];
    case 'u':
      return [{ kind: 'update', collection, id: idOf(document(operation, 'o2')), update: body }];
    case 'd':
      return [{ kind: 'delete', collection, id: idOf(body) }];
    default:
      throw unsupported(entry, `an operation ${op} on ${namespace}`);
  }
}

function command(body: Buffer, namespace: string, database: string, entry: Buffer): Change[] {
  const [first] = fieldsOf(body);
  const name = first?.name ?? '';
  if (name === 'applyOps') return transaction(body, database, entry);
  if (namespace !== `${database}.$cmd` || WITHOUT_EFFECT.includes(name)) return [];
  const { [name]: target, ...options } = BSON.deserialize(body, EXACT);
  const collection = String(target);
  // Those between two names of ours tell whole namespaces; one to or from a name of Tyk's is a recovery at work.
  const names = name === 'renameCollection' ? [collection, String(options['to'])] : [collection];
  if (names.every((each) => isOwn(each.replace(`${database}.`, '')))) return [];
  if (name === 'create' && options['viewOn'] === undefined) {
    const { idIndex: _, ...rest } = options;
    return [{ kind: 'create', collection, options: rest }];
  }
  if (name === 'createIndexes') return [{ kind: 'index', collection, index: options }];
  if (name === 'commitIndexBuild')
    return (options['indexes'] as Document[]).map((index) => ({ kind: 'index', collection, index }));
  throw unsupported(entry, `${name} of ${collection}`);
}

function transaction(body: Buffer, database: string, entry: Buffer): Change[] {
  const operations = fieldOf(body, 'applyOps');
  if (operations?.type !== ARRAY) throw new BsonProblem('a transaction without its operations');
  const found = fieldsOf(operations.value).flatMap(({ value }) => changes(value, database, entry));
  const open = ['partialTxn', 'prepare'].find((word) => fieldOf(body, word));
  if (found.length > 0 && open !== undefined)
    throw unsupported(entry, `a transaction of many entries (${open})`);
  return found;
}

/** @throws BsonProblem */
function document(of: Buffer, name: string): Buffer {
  const field = fieldOf(of, name);
  if (field?.type !== DOCUMENT) throw new BsonProblem(`an entry whose ${name} is no document`);
  return field.value;
}

function string(of: Buffer, name: string): string {
  const field = fieldOf(of, name);
  if (field?.type !== 0x02) throw new BsonProblem(`an entry whose ${name} is no text`);
  return field.value.toString('utf8', 4, field.value.length - 1);
}

function idOf(of: Buffer): Field {
  const id = fieldOf(of, '_id');
  if (!id) throw new BsonProblem('an entry without the _id of its document');
  return id;
}

/** Seconds and a counter: they order an oplog. */
export interface OplogTime {
  readonly t: number;
  readonly i: number;
}

/** @throws BsonProblem */
export function timeOf(entry: Buffer): OplogTime {
  const ts = fieldOf(entry, 'ts');
  if (ts?.type !== 0x11) throw new BsonProblem('an entry without its time');
  return { t: ts.value.readUInt32LE(4), i: ts.value.readUInt32LE(0) };
}

export const isoOf = ({ t }: OplogTime): string => new Date(t * 1_000).toISOString();

function unsupported(entry: Buffer, what: string, cause?: unknown): DrError {
  const at = fieldOf(entry, 'ts')?.type === 0x11 ? `at ${isoOf(timeOf(entry))}` : 'at an unknown time';
  return new DrError('OPLOG_UNSUPPORTED', { what, at }, { cause });
}
