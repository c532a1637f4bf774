import { MongoClient, type Db, type Document, type Filter, type ObjectId } from 'mongodb';
import type { Secret } from '../../domain/secret.ts';
import type { ApiDefinition, ApiListEntry, OasDocument } from '../tyk/api-definition.ts';
import type { Policy } from '../tyk/policy.ts';
import type { Store } from './store.ts';

/** The Dashboard's collections in MongoDB, under Tyk's own names; what it knows an object by is its `_id`. */

const TIMEOUT_MS = 3_000;

export interface ApiDocument {
  readonly _id: ObjectId;
  readonly api_definition: ApiDefinition;
  readonly oas?: OasDocument;
}

export type PolicyDocument = Omit<Policy, '_id'> & { readonly _id: ObjectId };

interface UserDocument {
  readonly _id: ObjectId;
  readonly org_id: string;
  readonly email_address: string;
  readonly access_key: string;
  readonly active: boolean;
}

export class MongoStore implements Store {
  readonly #client: MongoClient;

  constructor(url: Secret) {
    this.#client = new MongoClient(url.reveal(), {
      directConnection: true,
      serverSelectionTimeoutMS: TIMEOUT_MS,
      socketTimeoutMS: 15_000,
    });
  }

  publishedApis(): Promise<ApiListEntry[]> {
    return this.#apis({ 'api_definition.active': true });
  }

  organisationApis(orgId: string): Promise<ApiListEntry[]> {
    return this.#apis({ 'api_definition.org_id': orgId });
  }

  async api(orgId: string, id: string): Promise<ApiListEntry | undefined> {
    return (await this.#apis(oneApi(orgId, id)))[0];
  }

  async replaceApi(orgId: string, id: string, definition: ApiDefinition): Promise<boolean> {
    const { matchedCount } = await this.#db
      .collection('tyk_apis')
      .updateOne(oneApi(orgId, id), { $set: { api_definition: definition } });
    return matchedCount === 1;
  }

  async policies(orgId?: string): Promise<Policy[]> {
    const found = await this.#db
      .collection<PolicyDocument>('tyk_policies')
      .find(orgId === undefined ? {} : { org_id: orgId })
      .sort({ _id: 1 })
      .toArray();
    return found.map(({ _id, ...policy }) => ({ ...policy, _id: _id.toHexString() }));
  }

  async users(orgId: string): Promise<unknown[]> {
    const found = await this.#users.find({ org_id: orgId }).sort({ _id: 1 }).toArray();
    return found.map(({ _id, email_address, active }) => ({ id: _id.toHexString(), email_address, active }));
  }

  async organisationOf(accessKey: string): Promise<string | undefined> {
    return (await this.#users.findOne({ access_key: accessKey, active: true }))?.org_id;
  }

  async organisations(): Promise<unknown[]> {
    const found = await this.#db.collection('tyk_organisations').find().sort({ _id: 1 }).toArray();
    return found.map((each) => ({
      id: String(each._id),
      owner_name: each['owner_name'] as string,
      cname: each['cname'] as string,
    }));
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  /** The database that the connection string names. */
  get #db(): Db {
    return this.#client.db();
  }

  get #users() {
    return this.#db.collection<UserDocument>('tyk_analytics_users');
  }

  async #apis(filter: Filter<Document>): Promise<ApiListEntry[]> {
    const found = await this.#db.collection('tyk_apis').find(filter).sort({ _id: 1 }).toArray();
    return (found as unknown as ApiDocument[]).map(({ api_definition, oas }) => ({
      api_definition,
      oas: oas ?? null,
    }));
  }
}

function oneApi(orgId: string, id: string): Filter<Document> {
  return {
    'api_definition.org_id': orgId,
    $or: [{ 'api_definition.id': id }, { 'api_definition.api_id': id }],
  };
}
