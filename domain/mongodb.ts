/** What a backup set says of a MongoDB database. The data themselves lie in it as mongodump writes them. */

export interface MongoFacts {
  readonly method: 'mongodump';
  readonly version: string;
  /** The database, which is also the folder of the dump. */
  readonly name: string;
  /** When reading began. */
  readonly takenAt: string;
  /**
   * `oplog`: with its oplog replayed, all collections are as they were at one moment, `oplog.endsAt`. `snapshot`: at
   * `takenAt`. `none`: each as it was when it was read, for the server is no member of a replica set.
   */
  readonly consistency: 'oplog' | 'snapshot' | 'none';
  readonly oplog?: MongoOplog;
  /** Why there is none. */
  readonly withoutOplog?: string;
  readonly collections: readonly MongoCollection[];
  /** Of all documents. */
  readonly databaseBytes: number;
}

/** What was written to the database while the dump was taken: `oplog.bson` at its top, as mongodump has it. */
export interface MongoOplog {
  /** Name of the set's object. */
  readonly data: string;
  readonly entries: number;
  /** The time of the last entry that the server had: what was committed by then is in the set, and nothing later. */
  readonly endsAt: string;
  /** Seconds and a counter, as an oplog has them: after the first, up to the second. */
  readonly after: { readonly t: number; readonly i: number };
  readonly upTo: { readonly t: number; readonly i: number };
  /** By collection, how many documents it may add and take away: the counts of the files are of before. */
  readonly touched: Readonly<Record<string, { readonly inserts: number; readonly deletes: number }>>;
}

export interface MongoCollection {
  readonly name: string;
  readonly type: 'collection' | 'view';
  /** Of mongodump's layout: `<database>/<collection>`, to which `.bson` and `.metadata.json` are added. */
  readonly path: string;
  /** Names of the set's objects with the documents (none for a view) and with options and indexes. */
  readonly data?: string;
  readonly metadata: string;
  readonly documents: number;
  readonly bytes: number;
  /** Over all documents, byte for byte, whatever their order. */
  readonly digest: string;
  readonly indexes: number;
}

/** Raw analytics: they are compared by their number only, where time matters. */
export function isRawAnalytics(collection: string): boolean {
  return /^(tyk_analytics|z_tyk_analyticz_(?!aggregate_).+)$/.test(collection);
}
