import { setTimeout as sleep } from 'node:timers/promises';
import { MongoServerError, Timestamp, type Document, type MongoClient } from 'mongodb';
import { DrError } from '../../domain/errors.ts';
import type { MemberStatus, Optime, SetConfig, SetMember, SetStatus } from '../../domain/replica-set.ts';
import { connect, type MongoEndpoint } from './client.ts';

/**
 * The replica-set commands of MongoDB, each sent to one member and answered by it. Held to the manual, and not proven on a
 * genuine mongod: docs/mongodb.md says what was.
 */

/** One member, spoken to directly, whatever its state. */
export interface Member {
  readonly address: string;
  readonly user: string | undefined;
  readonly client: MongoClient;
}

/** Runs some work on a connection to this member alone. @throws DrError STORE_UNREACHABLE */
export async function withMember<T>(
  endpoint: MongoEndpoint,
  work: (member: Member) => Promise<T>,
): Promise<T> {
  const client = await connect({ ...endpoint, replicaSet: undefined });
  try {
    return await work({ address: `${endpoint.host}:${endpoint.port}`, user: endpoint.user, client });
  } finally {
    await client.close();
  }
}

export interface Hello {
  /** Undefined of a server that belongs to none. */
  readonly setName: string | undefined;
  readonly isPrimary: boolean;
  /** As the set calls the primary. */
  readonly primary: string | undefined;
}

export async function hello({ client }: Member): Promise<Hello> {
  const answer = await client.db('admin').command({ hello: 1 });
  const text = (name: string): string | undefined =>
    typeof answer[name] === 'string' ? answer[name] : undefined;
  return {
    setName: text('setName'),
    isPrimary: answer['isWritablePrimary'] === true,
    primary: text('primary'),
  };
}

/** @throws DrError REPLICA_SET_REFUSES, MONGO_DENIED */
export async function setStatus(member: Member): Promise<SetStatus> {
  return parseStatus(await command(member, { replSetGetStatus: 1 }));
}

/** @throws DrError REPLICA_SET_REFUSES, MONGO_DENIED */
export async function setConfig(member: Member): Promise<SetConfig> {
  return parseConfig((await command(member, { replSetGetConfig: 1 }))['config'] as Document);
}

/** By the shape that the manual gives. */
export function parseStatus(answer: Document): SetStatus {
  const members = (answer['members'] ?? []) as Document[];
  return {
    set: String(answer['set']),
    term: Number(answer['term'] ?? -1),
    members: members.map(memberStatus),
  };
}

function memberStatus(member: Document): MemberStatus {
  const optime = optimeOf(member['optime']);
  // Until 4.4 it was called otherwise.
  const syncsFrom = String(member['syncSourceHost'] ?? member['syncingTo'] ?? '');
  const message = [member['lastHeartbeatMessage'], member['infoMessage']].find(
    (text) => typeof text === 'string' && text !== '',
  ) as string | undefined;
  return {
    host: String(member['name']),
    state: String(member['stateStr']),
    reachable: Number(member['health']) === 1,
    self: member['self'] === true,
    ...(optime ? { optime } : {}),
    ...(syncsFrom === '' ? {} : { syncsFrom }),
    ...(message === undefined ? {} : { message }),
  };
}

/** @returns undefined of an arbiter, and of a member that has not been reached since the start. */
function optimeOf(value: unknown): Optime | undefined {
  const { ts, t } = (value ?? {}) as { ts?: unknown; t?: unknown };
  if (!(ts instanceof Timestamp) || ts.isZero()) return undefined;
  return { seconds: ts.t, ordinal: ts.i, term: Number(t ?? -1) };
}

export function parseConfig(config: Document): SetConfig {
  const members = (config['members'] ?? []) as Document[];
  return {
    ...config,
    version: Number(config['version']),
    members: members.map((member): SetMember => ({
      ...member,
      _id: Number(member['_id']),
      host: String(member['host']),
      votes: Number(member['votes'] ?? 1),
      priority: Number(member['priority'] ?? 1),
    })),
  };
}

/** Until a majority has it; a set that cannot give one lets us wait no longer. */
const RECONFIG_LIMIT_MS = 30_000;
const AGAIN_MS = 200;
/** Another change is under way, or came between our reading and our writing: read again. */
const AGAIN_CODES = [103, 109, 308];
const AGAIN_TIMES = 25;

/**
 * Changes the configuration, step by step, until `change` has nothing left to do. Each is made of the one that is in force
 * then. `force` is for a member without a primary.
 *
 * @returns how many changes were made. @throws DrError REPLICA_SET_REFUSES, MONGO_DENIED
 */
export async function reconfigure(
  member: Member,
  change: (config: SetConfig) => SetConfig | undefined,
  { force = false, signal }: { readonly force?: boolean; readonly signal?: AbortSignal } = {},
): Promise<number> {
  let made = 0;
  for (let refusals = 0; ;) {
    signal?.throwIfAborted();
    const before = await setConfig(member);
    const wanted = change(before);
    if (!wanted) return made;
    try {
      await command(member, {
        replSetReconfig: documentOf(wanted, before.version + 1),
        ...(force ? { force: true } : { maxTimeMS: RECONFIG_LIMIT_MS }),
      });
      made += 1;
      if (force) return made;
    } catch (error) {
      refusals += 1;
      if (!mayTryAgain(error) || refusals > AGAIN_TIMES) throw error;
      await sleep(AGAIN_MS, undefined, { signal });
    }
  }
}

/** The term is the primary's to set. */
function documentOf({ term: _, ...config }: SetConfig, version: number): Document {
  return { ...config, version };
}

const mayTryAgain = (error: unknown): boolean =>
  error instanceof DrError &&
  error.cause instanceof MongoServerError &&
  AGAIN_CODES.includes(Number(error.cause.code));

/** So long it will not be a candidate itself; it must be longer than the other. */
const STEP_DOWN_S = 60;
/** Writes are refused meanwhile. Where nobody has caught up by then, it stays the primary. */
const CATCH_UP_S = 20;
/** Older servers close every connection as they step down, and the answer with it. */
const NOT_PRIMARY = [10_107, 13_435, 11_602, 189];

/**
 * The primary lets another one be elected, once an electable member has everything that it has.
 *
 * @returns false where it was none. @throws DrError REPLICA_NOT_LEVEL, REPLICA_SET_REFUSES, MONGO_DENIED
 */
export async function stepDown(member: Member): Promise<boolean> {
  try {
    await command(member, {
      replSetStepDown: STEP_DOWN_S,
      secondaryCatchUpPeriodSecs: CATCH_UP_S,
      force: false,
    });
    return true;
  } catch (error) {
    const cause = error instanceof DrError ? error.cause : error;
    if (cause instanceof MongoServerError && NOT_PRIMARY.includes(Number(cause.code))) return false;
    if (cause instanceof MongoServerError && Number(cause.code) === 262)
      throw new DrError(
        'REPLICA_NOT_LEVEL',
        { store: 'MongoDB', address: member.address, reason: cause.message },
        { cause },
      );
    if (cause instanceof MongoServerError) throw error;
    // Whether it did is seen by who is the primary now.
    return true;
  }
}

/** One that has stepped down may be elected again at once. */
export async function mayBeElected(member: Member): Promise<void> {
  await command(member, { replSetFreeze: 0 }).catch((error: unknown) => {
    const cause = error instanceof DrError ? error.cause : undefined;
    // A primary cannot be frozen, nor the other way round.
    if (!(cause instanceof MongoServerError) || Number(cause.code) === 13) throw error;
  });
}

/** Whether an entry is in a member's oplog: then everything before it is. Needs the role `read` on `local`. */
export async function holdsEntry(
  { client, address, user }: Member,
  { seconds, ordinal, term }: Optime,
): Promise<boolean> {
  const ts = new Timestamp({ t: seconds, i: ordinal });
  try {
    const entry = await client
      .db('local')
      .collection('oplog.rs')
      .findOne({ ts }, { projection: { t: 1 } });
    return entry !== null && Number(entry['t'] ?? -1) === term;
  } catch (error) {
    throw explained(error, { address, user, name: 'find on local.oplog.rs' });
  }
}

const MAJORITY = { writeConcern: { w: 'majority', wtimeoutMS: 10_000 } } as const;
const PROOF_COLLECTION = 'tyk-dr-writable';

/** Writes, and takes away again, what a majority has to have. @throws MongoError where it is not taken */
export async function writeProbe({ client }: Member, database: string, run: string): Promise<void> {
  const collection = client.db(database).collection<{ _id: string }>(PROOF_COLLECTION);
  await collection.updateOne({ _id: run }, { $set: { at: new Date() } }, { upsert: true, ...MAJORITY });
  await collection.drop(MAJORITY);
}

async function command({ client, address, user }: Member, sent: Document): Promise<Document> {
  try {
    return await client.db('admin').command(sent);
  } catch (error) {
    throw explained(error, { address, user, name: Object.keys(sent)[0]! });
  }
}

const UNAUTHORIZED = 13;

function explained(
  error: unknown,
  { address, user, name }: { address: string; user: string | undefined; name: string },
): unknown {
  if (!(error instanceof MongoServerError)) {
    const reason = error instanceof Error ? error.message : String(error);
    return new DrError('STORE_UNREACHABLE', { store: 'MongoDB', address, reason }, { cause: error });
  }
  const reason = `${error.codeName ?? error.code}: ${error.message}`;
  return Number(error.code) === UNAUTHORIZED
    ? new DrError(
        'MONGO_DENIED',
        { user: user ?? '(none)', command: name, address, reason },
        { cause: error },
      )
    : new DrError('REPLICA_SET_REFUSES', { command: name, address, reason }, { cause: error });
}
