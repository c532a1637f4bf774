import { BSON, type Db, type Document } from 'mongodb';
import { listCollections, withDatabase, type MongoEndpoint } from '../../adapters/mongodb/client.ts';
import type { MongoConfig, Site } from '../../domain/config.ts';
import type { Manifest } from '../../domain/manifest.ts';
import type { Json } from '../../domain/json.ts';
import type { MongoFacts } from '../../domain/mongodb.ts';
import type { StepResult } from '../../domain/run.ts';
import type { Secret, SecretRef } from '../../domain/secret.ts';
import type { Definitions } from '../../domain/versioned.ts';
import type { Call } from '../guard.ts';
import { proof, requireProofs } from '../proofs.ts';
import { manifestOf, setOf } from '../open-set.ts';
import type { ControlIds, SiteDoor } from './method.ts';

/** A running MongoDB as the Dashboard and the Pump see it. Names of collections and fields are Tyk's own. */

export function mongoOf({ database }: Site): MongoConfig {
  if (database?.kind === 'mongodb') return database;
  throw new Error('the method mongodump works on a database that is no MongoDB');
}

export function mongoFacts({ database }: Manifest): MongoFacts {
  if (database?.method === 'mongodump') return database;
  throw new Error('the method mongodump works on a set that was not made by it');
}

export async function mongoEndpoint(
  config: MongoConfig,
  secret: (reference: SecretRef) => Promise<Secret>,
): Promise<MongoEndpoint> {
  const { host, port, name, user, password, authSource, replicaSet, tls } = config;
  return {
    ...{ host, port, database: name, user, authSource, replicaSet, tls },
    password: password === undefined ? undefined : await secret(password),
  };
}

/** What the Dashboard serves from. Tyk writes organisations with an s; some tools of its do not. */
const CONTROL: readonly string[] = [
  'tyk_apis',
  'tyk_policies',
  'tyk_organisations',
  'tyk_organizations',
  'tyk_analytics_users',
];

export async function prove(call: Call): Promise<StepResult> {
  const counts = await asDashboard(call, countControl);
  const apis = counts['tyk_apis'] ?? 0;
  const proofs = [proof('the Dashboard’s user reads its collections', apis > 0, 'at least 1 API', apis)];
  if (call.input.plan.steps.includes('restore-database-data')) {
    const facts = mongoFacts((await manifestOf(setOf(call))).manifest);
    for (const { name, documents } of facts.collections) {
      const found = counts[name];
      if (!CONTROL.includes(name)) continue;
      // The file was counted, and the oplog was replayed over it: the restore has proven what came of it.
      const { inserts, deletes } = facts.oplog?.touched[name] ?? { inserts: 0, deletes: 0 };
      const [least, most] = [Math.max(0, documents - deletes), documents + inserts];
      const wanted = least === most ? documents : `${least} to ${most}`;
      const right = found !== undefined && found >= least && found <= most;
      proofs.push(proof(`documents of ${name}`, right, wanted, found ?? 'none'));
    }
  }
  requireProofs(proofs);
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  return {
    summary: `${total} documents in ${Object.keys(counts).length} control collections, ${apis} APIs`,
    proofs,
  };
}

/** Of the control collections that are there. */
export async function countControl(db: Db): Promise<Record<string, number>> {
  const present = (await listCollections(db)).map(({ name }) => name);
  const counts: Record<string, number> = {};
  for (const name of CONTROL.filter((each) => present.includes(each)))
    counts[name] = await db.collection(name).countDocuments();
  return counts;
}

export async function controlIds(call: Call): Promise<ControlIds> {
  const { organisation } = call.deployment;
  return asDashboard(call, async (db) => {
    const apis = await db
      .collection('tyk_apis')
      .find({ 'api_definition.org_id': organisation }, { projection: { 'api_definition.api_id': 1 } })
      .toArray();
    const policies = await db
      .collection('tyk_policies')
      .find({ org_id: organisation }, { projection: { id: 1 } })
      .toArray();
    return {
      apiIds: apis.map(({ api_definition: definition }) => String((definition as Document)['api_id'])).sort(),
      // A policy without an explicit id is known by that of its document.
      policyIds: policies.map(({ _id, id }) => String(id || _id)).sort(),
    };
  });
}

/** The pump `mongo` writes to one collection, `mongo-pump-selective` to one for each organisation. */
export async function countAnalytics(call: Call, userAgent: string): Promise<number> {
  const collections = ['tyk_analytics', `z_tyk_analyticz_${call.deployment.organisation}`];
  return asDashboard(call, async (db) => {
    const present = (await listCollections(db)).map(({ name }) => name);
    const counts = await Promise.all(
      collections
        .filter((name) => present.includes(name))
        .map((name) => db.collection(name).countDocuments({ useragent: userAgent })),
    );
    // Where both pumps run, each has every record.
    return Math.max(0, ...counts);
  });
}

export async function definitions({ site, secret }: SiteDoor): Promise<Definitions> {
  return withDatabase(await mongoEndpoint(mongoOf(site), secret), readDefinitions);
}

export async function readDefinitions(db: Db): Promise<Definitions> {
  const documents = async (collection: string): Promise<Json[]> => {
    const found = await db.collection(collection).find().toArray();
    return found.map((document) => BSON.EJSON.serialize(document, { relaxed: true }) as Json);
  };
  return { apis: await documents('tyk_apis'), policies: await documents('tyk_policies') };
}

/** Connecting asks for the user's password, and pings. */
export async function ping({ site, secret }: SiteDoor): Promise<void> {
  await withDatabase(await mongoEndpoint(mongoOf(site), secret), () => Promise.resolve());
}

async function asDashboard<T>({ target, secret }: Call, work: (db: Db) => Promise<T>): Promise<T> {
  return withDatabase(await mongoEndpoint(mongoOf(target), secret), work);
}
