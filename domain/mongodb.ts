/** What a backup set says of a MongoDB database. The data themselves lie in it as mongodump writes them. */

export interface MongoFacts {
  readonly method: 'mongodump';
  readonly version: string;
  /** The database, which is also the folder of the dump. */
  readonly name: string;
  /** When reading began. */
  readonly takenAt: string;
  /**
   * `snapshot`: every collection as it was at one moment, `takenAt`. `none`: each as it was when it was read, for the
   * server has no snapshots (they need a replica set).
   */
  readonly consistency: 'snapshot' | 'none';
  readonly collections: readonly MongoCollection[];
  /** Of all documents. */
  readonly databaseBytes: number;
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
