import { ARRAY, BsonProblem, DOCUMENT, documentOf, fieldsOf, type Field } from './bson.ts';

/**
 * What an update in an oplog makes of a document, on raw BSON: a replacement, `$set` and `$unset` by paths (before
 * MongoDB 5.0, and FerretDB), or a diff (`$v: 2`). Pure, and the same when it is applied once more: a log is replayed
 * over documents that were read in the middle of it.
 */

const NULL: Omit<Field, 'name'> = { type: 0x0a, value: Buffer.alloc(0) };

/** @throws BsonProblem for an update of another kind. */
export function updated(document: Buffer, update: Buffer): Buffer {
  const fields = fieldsOf(update);
  const named = (name: string): Field | undefined => fields.find((field) => field.name === name);
  if (!fields.some(({ name }) => name.startsWith('$')) && !named('diff')) return withId(update, document);
  const diff = named('diff');
  if (diff) return diffed(document, inside(diff));
  let result = document;
  for (const { name, value, type } of fields) {
    if (name === '$v') continue;
    if (name !== '$set' && name !== '$unset') throw new BsonProblem(`an update by ${name}`);
    for (const change of fieldsOf(inside({ name, value, type }))) {
      // What names a document never changes.
      if (change.name === '_id') continue;
      result = documentOf(
        atPath(fieldsOf(result), change.name.split('.'), name === '$set' ? change : undefined, DOCUMENT),
      );
    }
  }
  return result;
}

/** An entry of an old server leaves the id to its second part. */
function withId(replacement: Buffer, document: Buffer): Buffer {
  const fields = fieldsOf(replacement);
  if (fields.some(({ name }) => name === '_id')) return replacement;
  return documentOf([...fieldsOf(document).filter(({ name }) => name === '_id'), ...fields]);
}

/** @param change the new value; undefined takes the field away. */
function atPath(
  fields: readonly Field[],
  [name, ...rest]: readonly string[],
  change: Field | undefined,
  container: number,
): Field[] {
  const at = fields.findIndex((field) => field.name === name);
  const old = fields[at];
  let made: Field | undefined;
  if (rest.length === 0) made = change && { ...change, name: name! };
  else if (old?.type === DOCUMENT || old?.type === ARRAY)
    made = { ...old, value: documentOf(atPath(fieldsOf(old.value), rest, change, old.type)) };
  // What leads through a plain value was changed since: a later entry says how.
  else if (change === undefined || old !== undefined) return [...fields];
  else made = { name: name!, type: DOCUMENT, value: documentOf(atPath([], rest, change, DOCUMENT)) };
  if (container === ARRAY) return element(fields, Number(name), made);
  if (made === undefined) return fields.filter((field) => field.name !== name);
  return at === -1 ? [...fields, made] : fields.with(at, made);
}

/** An element that is taken away leaves null behind; one beyond the end has nulls before it. */
function element(fields: readonly Field[], index: number, made: Field | undefined): Field[] {
  if (!Number.isInteger(index) || index < 0) throw new BsonProblem(`an element ${index} of an array`);
  const elements = [...fields];
  if (made === undefined && index >= elements.length) return elements;
  while (elements.length <= index) elements.push({ ...NULL, name: String(elements.length) });
  elements[index] = made ?? { ...NULL, name: String(index) };
  return elements;
}

/** A diff as servers since 4.4 log it: `d`, `u`, `i` for fields, `s<field>` for what is inside them. */
function diffed(document: Buffer, diff: Buffer): Buffer {
  const changes = fieldsOf(diff);
  const part = (name: string): Field[] => {
    const found = changes.find((field) => field.name === name);
    return found ? fieldsOf(inside(found)) : [];
  };
  const known = ({ name }: Field): boolean => ['d', 'u', 'i'].includes(name) || name.startsWith('s');
  const other = changes.find((change) => !known(change));
  if (other) throw new BsonProblem(`a diff by ${other.name}`);
  const removed = new Set(part('d').map(({ name }) => name));
  const updates = new Map(part('u').map((field) => [field.name, field]));
  const inserts = new Map(part('i').map((field) => [field.name, field]));
  const inner = new Map(
    changes.filter(({ name }) => name.startsWith('s')).map((field) => [field.name.slice(1), field]),
  );
  const kept: Field[] = [];
  for (const field of fieldsOf(document)) {
    // One that is inserted goes to the end, also where it was there already.
    if (removed.has(field.name) || inserts.has(field.name)) continue;
    kept.push(updates.get(field.name) ?? innerOf(field, inner.get(field.name)));
    updates.delete(field.name);
  }
  return documentOf([...kept, ...updates.values(), ...inserts.values()]);
}

function innerOf(field: Field, change: Field | undefined): Field {
  if (!change) return field;
  const diff = inside(change);
  const ofArray = fieldsOf(diff).some(({ name }) => name === 'a');
  // Of another type by now: a later entry says how.
  if (field.type !== (ofArray ? ARRAY : DOCUMENT)) return field;
  return { ...field, value: ofArray ? arrayDiffed(field.value, diff) : diffed(field.value, diff) };
}

/** `l` is the new length, `u<n>` a new element, `s<n>` what is inside one. */
function arrayDiffed(array: Buffer, diff: Buffer): Buffer {
  let elements = fieldsOf(array);
  for (const change of fieldsOf(diff)) {
    const index = Number(change.name.slice(1));
    if (change.name === 'a') continue;
    else if (change.name === 'l') elements = elements.slice(0, change.value.readInt32LE(0));
    else if (change.name.startsWith('u'))
      elements = element(elements, index, { ...change, name: String(index) });
    else if (change.name.startsWith('s') && Number.isInteger(index)) {
      const old = elements[index];
      if (old) elements[index] = innerOf(old, change);
    } else throw new BsonProblem(`a diff of an array by ${change.name}`);
  }
  return documentOf(elements);
}

function inside({ name, type, value }: Field): Buffer {
  if (type !== DOCUMENT && type !== ARRAY) throw new BsonProblem(`an update whose ${name} is no document`);
  return value;
}
