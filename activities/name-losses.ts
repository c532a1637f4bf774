import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { keyDigest, readAudit } from '../adapters/beacon/audit.ts';
import { resolveRef, setCommits, withCopy } from '../adapters/git/repository.ts';
import { readUsedKeys as usedInMongo } from '../adapters/mongodb/used-keys.ts';
import { MOST_KEYS, readUsedKeys as usedInPostgres } from '../adapters/postgres/used-keys.ts';
import { scratchFolder } from '../adapters/host/scratch-folder.ts';
import { within } from '../adapters/process/within.ts';
import { withMasters } from '../adapters/redis/shards.ts';
import { changedContents } from '../adapters/versioned/read-config.ts';
import { knownSecrets, referrer } from '../adapters/versioned/references.ts';
import { momentOf, type MarkedStore } from '../domain/beacon.ts';
import { diffConfig, type ConfigChange, type Contents } from '../domain/config-diff.ts';
import type { StoreLoss } from '../domain/loss.ts';
import { auditLosses, listed, type LostItem, type LostItems } from '../domain/lost-items.ts';
import { startOfId } from '../domain/manifest.ts';
import { NAMES } from '../domain/points.ts';
import { findSecrets, scrubber } from '../domain/scrub.ts';
import { definitionFiles, describeApi, describePolicy } from '../domain/versioned.ts';
import { parseExactly } from '../domain/json.ts';
import { methodOf } from './database/choose.ts';
import { mongoEndpoint } from './database/mongodb.ts';
import { adminConnection, redisStore } from './endpoints.ts';
import type { Call } from './guard.ts';
import { serves } from './site.ts';

/**
 * What was lost, by name: writes in the Dashboard's audit trail and definitions in the config history that are later
 * than the recovered points, and keys that clients used since and Redis does not have. What none of them tells is said.
 */

/** A recovery waits no longer for a name. */
const PATIENCE_MS = 20_000;

interface Part {
  readonly items: readonly LostItem[];
  readonly looked?: string;
  readonly unnamed?: string;
}

/** Never throws: what cannot be named is no reason to stop. @param site whose stores clients wrote to last */
export async function nameLosses(
  call: Call,
  folders: readonly string[],
  site: string,
  losses: readonly StoreLoss[],
): Promise<LostItems> {
  const points = Object.fromEntries(
    losses.flatMap(({ store, newestRecovered }) =>
      newestRecovered === undefined ? [] : [[store, newestRecovered] as const],
    ),
  ) as Partial<Record<MarkedStore, number>>;
  const blind = losses.filter(({ store }) => points[store] === undefined).map(({ store }) => store);
  const parts = await Promise.all([
    ofAudit(folders, site, points),
    tried('config history', () => ofHistory(call, site, points.database)),
    tried('analytics', () => ofAnalytics(call, points.redis)),
  ]);
  return listed(
    parts.flatMap(({ items }) => items),
    {
      looked: parts.flatMap(({ looked }) => looked ?? []),
      unnamed: [
        ...blind.map((store) => `${NAMES[store]}: to which moment it was recovered was not measured`),
        ...parts.flatMap(({ unnamed }) => unnamed ?? []),
      ],
    },
  );
}

async function tried(what: string, work: () => Promise<Part | undefined>): Promise<Part> {
  try {
    return (await within(work(), PATIENCE_MS, 'answer')) ?? { items: [] };
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n')[0] : String(error);
    return { items: [], unnamed: `${what}: it could not be read: ${reason}` };
  }
}

async function ofAudit(
  folders: readonly string[],
  site: string,
  points: Readonly<Partial<Record<MarkedStore, number>>>,
): Promise<Part> {
  const numbers = Object.values(points);
  if (numbers.length === 0) return { items: [] };
  const { entries, there } = await readAudit(folders, site, momentOf(Math.min(...numbers)));
  if (!there)
    return {
      items: [],
      unnamed: `audit trail: none of ${site} is kept outside it (sites.${site}.dashboard.auditLog)`,
    };
  const newest = entries.at(-1)?.at;
  return {
    items: auditLosses(entries, points),
    looked: `audit trail of ${site}${newest === undefined ? ': no write since' : `, to ${newest}`}`,
  };
}

/** Sets that are newer than the recovered point say what was there later. */
async function ofHistory(call: Call, site: string, point: number | undefined): Promise<Part | undefined> {
  const scratch = await scratchFolder('verify');
  try {
    return await historyIn(scratch, call, site, point);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function historyIn(
  scratch: string,
  call: Call,
  site: string,
  point: number | undefined,
): Promise<Part | undefined> {
  const { deployment, input, target, worker, secret, signal } = call;
  const { git } = deployment.backup;
  if (point === undefined || !serves(worker, target, target.database)) return undefined;
  if (!git) return { items: [], unnamed: 'config history: no git repository is configured (backup.git)' };
  const { deployment: name } = input.plan;
  return withCopy(git, join(scratch, 'config.git'), signal, async (copy) => {
    const tip = await resolveRef(copy, `refs/heads/${git.branch}`);
    const commits = tip === undefined ? [] : await setCommits(copy, tip, name);
    const newest = commits.toSorted((a, b) => (a.set < b.set ? 1 : -1))[0];
    if (!newest) return { items: [], unnamed: 'config history: it holds no set of this deployment' };
    const recovered = commits.find(({ set }) => momentOfSet(set) <= point);
    if (momentOfSet(newest.set) <= point)
      return {
        items: [],
        looked: `config history: nothing newer than the recovered point (newest ${newest.set})`,
      };
    const [before, after] = await changedContents(copy, name, recovered?.commit, newest.commit);
    const definitions = definitionFiles(
      await methodOf(target.database!).definitions({ site: target, secret }),
    );
    const raw = definitions.map(({ content }) => content);
    const known = [
      ...(await knownSecrets(deployment, site, secret)),
      ...raw.flatMap((text) => findSecrets(text)),
    ];
    const scrub = scrubber(
      known,
      referrer(await secret(deployment.backup.signingKey), () => undefined),
    );
    const live: Contents = new Map(definitions.map(({ path, content }) => [path, scrub(content)]));
    return {
      items: lostOf(diffConfig(before, after), after, live),
      looked: `config history to set ${newest.set}`,
    };
  });
}

const momentOfSet = (set: string): number => Date.parse(startOfId(set)) / 1000;

/** Changes of the history that are not in the recovered database; one between two sets may be. */
function lostOf(changes: readonly ConfigChange[], after: Contents, live: Contents): LostItem[] {
  return changes.flatMap(({ component, name, id, change }): LostItem[] => {
    if (component !== 'apis' && component !== 'policies') return [];
    const own = byId(component, live).get(id ?? name);
    const then = byId(component, after).get(id ?? name);
    const isThere =
      change === 'removed' ? own === undefined : change === 'added' ? own !== undefined : own === then;
    if (isThere) return [];
    return [
      {
        ...{ store: 'database', kind: component === 'apis' ? 'API' : 'policy', source: 'config history' },
        change: change === 'added' ? 'created' : change === 'removed' ? 'deleted' : 'changed',
        name: id === undefined || id === name ? name : `${id} (${name})`,
      },
    ];
  });
}

function byId(component: 'apis' | 'policies', contents: Contents): Map<string, string> {
  const describe = component === 'apis' ? describeApi : describePolicy;
  return new Map(
    [...contents].flatMap(([path, content]) => {
      const document = path.startsWith(`${component}/`) ? parseExactly(content) : undefined;
      return document === undefined ? [] : [[describe(document).id || path, content] as const];
    }),
  );
}

/** What stands for no key at all. */
const NOBODY = '00000000';

/** Clients were let in with it after the point of Redis, and Redis has it not: it was made since, or has expired. */
async function ofAnalytics(call: Call, point: number | undefined): Promise<Part | undefined> {
  const { target, worker, secret, deployment } = call;
  const { redis, database } = target;
  if (point === undefined || !redis || !database) return undefined;
  if (!serves(worker, target, redis) || !serves(worker, target, database))
    return {
      items: [],
      unnamed: 'analytics: no worker serves both Redis and the database, so keys in use were not looked for',
    };
  const since = momentOf(point);
  const used =
    database.kind === 'mongodb'
      ? await usedInMongo(await mongoEndpoint(database, secret), deployment.organisation, since)
      : await usedInPostgres(await adminConnection(database, secret), since);
  const keys = [...new Map(used.map((each) => [each.key, each])).values()].filter(
    ({ key }) => key !== NOBODY,
  );
  const missing = await withMasters(await redisStore(redis, secret), async (shards) => {
    const there = await Promise.all(
      keys.map(async ({ key }) => {
        const name = Buffer.from(`apikey-${key}`);
        return (await shards.of(name).exists(name)) > 0;
      }),
    );
    return keys.filter((_key, index) => !there[index]);
  });
  return {
    items: missing.map(({ key, alias, api, last }) => ({
      ...{ store: 'redis', kind: 'key', change: 'used', source: 'analytics', at: last },
      name: `${keyDigest(key)}${alias === '' ? '' : ` (${alias})`}${api === '' ? '' : `, on API ${api}`}`,
    })),
    looked: `analytics: ${keys.length}${keys.length >= MOST_KEYS ? ' or more' : ''} keys in use since ${since}`,
  };
}
