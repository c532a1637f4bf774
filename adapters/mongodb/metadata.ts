import { BSON, type Db, type Document } from 'mongodb';
import { z } from 'zod';

/** `<collection>.metadata.json`: options and indexes of a collection in Extended JSON, as mongodump writes them. */

const { EJSON } = BSON;

export interface CollectionMetadata {
  readonly name: string;
  readonly type: 'collection' | 'view' | 'timeseries';
  readonly options: Document;
  /** Without `ns`; that of `_id` included. */
  readonly indexes: readonly IndexSpec[];
  readonly uuid?: string;
}

export interface IndexSpec extends Document {
  readonly name: string;
  readonly key: Document;
}

/** Numbers keep their types: a version 2 is no 2.0, and a time to live may be an int64. */
const EXACT = { promoteValues: false, bsonRegExp: true } as const;

/** Of every collection and view, as the server tells it. */
export async function readMetadata(db: Db, names: readonly string[]): Promise<CollectionMetadata[]> {
  const infos = await db.listCollections({}, EXACT).toArray();
  const found: CollectionMetadata[] = [];
  for (const name of names) {
    const info = infos.find((candidate) => candidate.name === name) as Info | undefined;
    // Dropped since its name was listed.
    if (!info) continue;
    const type = info.type ?? 'collection';
    const uuid = info.info?.uuid;
    found.push({
      name,
      type,
      options: info.options ?? {},
      indexes: type === 'collection' ? await indexesOf(db, name) : [],
      ...(uuid === undefined ? {} : { uuid: Buffer.from(uuid.buffer).toString('hex') }),
    });
  }
  return found;
}

interface Info {
  readonly name: string;
  readonly type?: CollectionMetadata['type'];
  readonly options?: Document;
  readonly info?: { readonly uuid?: { readonly buffer: Uint8Array } };
}

export async function indexesOf(db: Db, collection: string): Promise<IndexSpec[]> {
  const specs = (await db.collection(collection).listIndexes(EXACT).toArray()) as IndexSpec[];
  // Old servers repeat the collection's name in each: another one's by the time of a restore.
  return specs.map(
    (spec) => Object.fromEntries(Object.entries(spec).filter(([key]) => key !== 'ns')) as IndexSpec,
  );
}

export function writeMetadata({ name, type, options, indexes, uuid }: CollectionMetadata): string {
  return EJSON.stringify(
    { options, indexes, ...(uuid === undefined ? {} : { uuid }), collectionName: name, type },
    { relaxed: false },
  );
}

const SHAPE = z.looseObject({
  options: z.record(z.string(), z.unknown()).optional(),
  indexes: z.array(z.looseObject({ name: z.string(), key: z.record(z.string(), z.unknown()) })).optional(),
  uuid: z.string().optional(),
  collectionName: z.string().optional(),
  type: z.enum(['collection', 'view', 'timeseries']).optional(),
});

/**
 * Reads what we or mongodump wrote.
 *
 * @param name for files of old versions of mongodump, which do not hold it.
 * @returns undefined where it is no such file.
 */
export function parseMetadata(text: string, name: string): CollectionMetadata | undefined {
  try {
    const content = JSON.parse(text) as z.output<typeof SHAPE>;
    // Looked at only: what the schema returns has its keys in another order.
    SHAPE.parse(content);
    const { options, indexes, uuid, collectionName, type } = content;
    const exact = <T>(value: unknown): T => EJSON.parse(JSON.stringify(value), { relaxed: false }) as T;
    return {
      name: collectionName ?? name,
      type: type ?? (options?.['viewOn'] === undefined ? 'collection' : 'view'),
      options: exact<Document>(options ?? {}),
      indexes: exact<IndexSpec[]>(indexes ?? []),
      ...(uuid === undefined ? {} : { uuid }),
    };
  } catch {
    return undefined;
  }
}

/** Whether documents vanish by it. */
export const expires = (index: IndexSpec): boolean => index['expireAfterSeconds'] !== undefined;
