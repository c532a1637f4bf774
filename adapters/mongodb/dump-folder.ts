import { createReadStream } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { createGunzip, gunzipSync } from 'node:zlib';
import { DrError } from '../../domain/errors.ts';
import type { MongoCollection, MongoFacts } from '../../domain/mongodb.ts';
import { BsonProblem, DocumentsDigest, readBatches } from './bson.ts';
import { inParallel, type DumpRequest } from './dump.ts';
import { dumpPath } from './dump-path.ts';
import { parseMetadata, writeMetadata, type CollectionMetadata } from './metadata.ts';

/** A folder that mongodump has written, with or without --gzip: it becomes part of a set as a dump of ours does. */

export interface FolderRequest extends Pick<DumpRequest, 'store' | 'onProgress'> {
  /** What mongodump was given as --out. */
  readonly folder: string;
  readonly database: string;
}

/** @throws DrError OBJECT_MISSING, OBJECT_DAMAGED */
export async function dumpFolder(request: FolderRequest): Promise<MongoFacts> {
  const { folder, database } = request;
  const inside = join(folder, database);
  const names = await readdir(inside).catch((): string[] => []);
  const bases = names.flatMap((name) => /^(.+)\.bson(?:\.gz)?$/.exec(name)?.[1] ?? []);
  if (bases.length === 0) throw missing(inside, 'it holds no .bson file');
  const times = await Promise.all(names.map(async (name) => (await stat(join(inside, name))).mtimeMs));
  const collections = await inParallel(bases, (base) => collectionOf(request, inside, base, names));
  return {
    method: 'mongodump',
    version: 'of mongodump',
    name: database,
    // Nothing in it was read before its first file was begun; that is as near as the files tell.
    takenAt: new Date(Math.min(...times)).toISOString(),
    consistency: 'none',
    collections,
    databaseBytes: collections.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

async function collectionOf(
  { database, store, onProgress }: FolderRequest,
  inside: string,
  base: string,
  names: readonly string[],
): Promise<MongoCollection> {
  const found = (ending: string): string | undefined =>
    [`${base}${ending}`, `${base}${ending}.gz`].find((name) => names.includes(name));
  const metadata = await metadataOf(inside, base, found('.metadata.json'));
  onProgress?.(metadata.name);
  const path = dumpPath(database, metadata.name);
  const file = join(inside, found('.bson')!);
  const digest = new DocumentsDigest();
  const data = await store(`${path}.bson`, Readable.from(checked(file, digest), { objectMode: false }));
  return {
    name: metadata.name,
    type: 'collection',
    path,
    data,
    metadata: await store(`${path}.metadata.json`, Readable.from([Buffer.from(writeMetadata(metadata))])),
    documents: digest.documents,
    bytes: digest.bytes,
    digest: digest.digest(),
    indexes: metadata.indexes.length,
  };
}

async function metadataOf(
  inside: string,
  base: string,
  file: string | undefined,
): Promise<CollectionMetadata> {
  // Old versions of mongodump write none where a collection has no options and no index of its own.
  if (file === undefined)
    return { name: decodeURIComponent(base), type: 'collection', options: {}, indexes: [] };
  const bytes = await readFile(join(inside, file));
  try {
    const text = (file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8');
    const metadata = parseMetadata(text, decodeURIComponent(base));
    if (metadata) return metadata;
  } catch (error) {
    throw damaged(join(inside, file), (error as Error).message, error);
  }
  throw damaged(join(inside, file), 'it is no metadata of a collection');
}

/** The plain content, document by document: what is no BSON never becomes part of a set. */
async function* checked(file: string, digest: DocumentsDigest): AsyncGenerator<Buffer> {
  const raw = createReadStream(file);
  const plain = file.endsWith('.gz') ? raw.pipe(createGunzip()) : raw;
  try {
    for await (const batch of readBatches(plain as AsyncIterable<Uint8Array>)) {
      for (const document of batch) digest.add(document);
      yield Buffer.concat(batch);
    }
  } catch (error) {
    const gzip = (error as NodeJS.ErrnoException).code?.startsWith('Z_');
    if (error instanceof BsonProblem || gzip) throw damaged(file, (error as Error).message, error);
    throw error;
  } finally {
    raw.destroy();
  }
}

function missing(path: string, reason: string): DrError {
  return new DrError('OBJECT_MISSING', { object: `${path} (${reason})`, set: 'that mongodump wrote' });
}

function damaged(path: string, reason: string, cause?: unknown): DrError {
  return new DrError('OBJECT_DAMAGED', { object: path, set: 'that mongodump wrote', reason }, { cause });
}
