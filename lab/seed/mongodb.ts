import { createHash } from 'node:crypto';
import { ObjectId, type Db, type Document } from 'mongodb';
import { AGGREGATES, RECORD_INDEXES, RECORDS } from '../pump/mongo-sink.ts';
import { ORGANISATIONS, type Definitions, type Scale } from './definitions.ts';
import { stableId } from './random.ts';

/** Makes and fills the Dashboard's collections: the same objects as in PostgreSQL, and a tenth of the analytics. */

const BATCH = 1_000;
/** FerretDB takes a few thousand documents a second: with all of the rows a lab would be minutes in coming. */
const ONE_OF = 10;
const MINUTES_APART = 7 / 60;
const FIRST_MS = Date.parse('2026-01-01T00:00:00Z');

export async function seedMongo(
  db: Db,
  seed: number,
  scale: Scale,
  definitions: Definitions,
  accessKey: string,
): Promise<void> {
  await putDefinitions(db, definitions);
  await db.collection('tyk_apis').createIndex({ 'api_definition.api_id': 1 }, { unique: true });
  await db.collection('tyk_organisations').insertMany(
    ORGANISATIONS.map((id, index) => ({
      _id: new ObjectId(id),
      owner_name: `Organisation ${index}`,
      cname: `org${index}.example`,
    })),
  );
  await db.collection('tyk_analytics_users').createIndex({ access_key: 1 }, { unique: true });
  await db.collection('tyk_analytics_users').insertOne({
    _id: new ObjectId(stableId(seed, 'user', 24)),
    org_id: ORGANISATIONS[0],
    email_address: 'platform@example.org',
    access_key: accessKey,
    active: true,
    user_permissions: { IsAdmin: 'admin' },
  });
  for (const name of PORTAL) {
    await db.collection(`portal_${name}`).insertMany(
      Array.from({ length: 12 }, (_, index) => ({
        _id: new ObjectId(stableId(seed, `${name} ${index}`, 24)),
        org_id: ORGANISATIONS[0],
        title: `${name} ${index}`,
        body: `<p>${stableId(seed, `${name} body ${index}`, 32)}</p>`,
      })),
    );
  }
  await seedAnalytics(db, seed, scale, definitions.apis.length);
}

/** Makes or replaces them. */
export async function putDefinitions(db: Db, { apis, policies }: Definitions): Promise<void> {
  await put(
    db,
    'tyk_apis',
    apis.map(({ api_definition, oas }) => ({
      _id: new ObjectId(api_definition.id),
      api_definition,
      ...(oas ? { oas } : {}),
    })),
  );
  await put(
    db,
    'tyk_policies',
    policies.map((policy) => ({ ...policy, _id: new ObjectId(policy.id) })),
  );
}

async function put(db: Db, name: string, documents: readonly Document[]): Promise<void> {
  const ids = documents.map(({ _id }) => _id as ObjectId);
  await db.collection(name).deleteMany({ _id: { $in: ids } });
  await db.collection(name).insertMany([...documents]);
}

const PORTAL = ['catalogue', 'configurations', 'css', 'developers', 'key_requests', 'menus', 'pages'];

async function seedAnalytics(db: Db, seed: number, scale: Scale, apis: number): Promise<void> {
  const md5 = (text: string): string => createHash('md5').update(text).digest('hex');
  const hits = new Map<string, Document>();
  const total = Math.ceil(scale.analyticsRows / ONE_OF);
  for (let from = 1; from <= total; from += BATCH) {
    const count = Math.min(BATCH, total - from + 1);
    const records = Array.from({ length: count }, (_, offset) => {
      const n = from + offset;
      const at = new Date(FIRST_MS + n * MINUTES_APART * 60_000);
      const code = n % 50 === 0 ? 500 : n % 20 === 0 ? 403 : 200;
      const apiid = stableId(seed, `api ${n % apis}`, 32);
      addUp(hits, apiid, at, code);
      return {
        ...{ method: ['GET', 'POST', 'PUT'][n % 3], host: 'api.example.org', path: `/orders/${n % 977}` },
        ...{ rawpath: `/orders/${n % 977}`, contentlength: n % 4096, useragent: `client/${n % 31}` },
        ...{
          day: at.getUTCDate(),
          month: at.getUTCMonth() + 1,
          year: at.getUTCFullYear(),
          hour: at.getUTCHours(),
        },
        ...{ responsecode: code, apikey: md5(`${seed}/${n % 20_000}`), timestamp: at, apiversion: 'Default' },
        ...{
          apiname: `API ${n % apis}`,
          apiid,
          orgid: ORGANISATIONS[0],
          oauthid: '',
          requesttime: 5 + (n % 300),
        },
        ...{ ipaddress: `10.1.${n % 250}.${n % 240}`, tags: [`tag-${n % 12}`], alias: '', trackpath: false },
      };
    });
    await db.collection(RECORDS).insertMany(records);
  }
  await db.collection(RECORDS).createIndexes(RECORD_INDEXES);
  const aggregates = [...hits.values()];
  for (let from = 0; from < aggregates.length; from += BATCH)
    await db.collection(AGGREGATES).insertMany(aggregates.slice(from, from + BATCH));
}

function addUp(hits: Map<string, Document>, apiid: string, at: Date, code: number): void {
  const hour = new Date(Math.floor(at.getTime() / 3_600_000) * 3_600_000);
  const id = createHash('md5').update(`${ORGANISATIONS[0]}${apiid}${hour.toISOString()}`).digest('hex');
  const found = hits.get(id) ?? {
    ...{ _id: id, orgid: ORGANISATIONS[0], timestamp: hour, dimension: 'apiid', dimension_value: apiid },
    ...{ hits: 0, success: 0, error: 0, last_time: at },
  };
  const failed = code >= 400;
  hits.set(id, {
    ...found,
    hits: (found['hits'] as number) + 1,
    success: (found['success'] as number) + (failed ? 0 : 1),
    error: (found['error'] as number) + (failed ? 1 : 0),
    last_time: at,
  });
}
