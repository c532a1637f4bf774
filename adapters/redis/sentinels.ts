import { setTimeout as sleep } from 'node:timers/promises';
import { DrError } from '../../domain/errors.ts';
import { sameAddress } from '../host/same-address.ts';
import { within } from '../process/within.ts';
import { addressOf, connect, withClient, type Client, type RedisEndpoint } from './client.ts';
import { redisPosition } from './replica.ts';
import { asFields, type SentinelGroup } from './sentinel.ts';

/**
 * All Sentinels of a group at once: what they say of the master, and what they are asked for. They decide which server is
 * the master and write it down, each for itself; whoever asks one alone may hear yesterday's news.
 */

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface SentinelView {
  /** By the one with the newest configuration. */
  readonly master: Address;
  /** A failover is under way. */
  readonly failingOver: boolean;
  /** Those that answered, and whom each names. */
  readonly named: readonly { readonly sentinel: string; readonly master: Address }[];
  /** The others, with why. */
  readonly silent: readonly string[];
  /** So many must agree that the master is down before they act by themselves. */
  readonly quorum: number;
  /** How long the master may be silent before one of them takes it for down, milliseconds. */
  readonly downAfterMs: number;
}

export interface KnownReplica extends Address {
  /** The least one is chosen first; 0 never. */
  readonly priority: number;
  /** It is reached, and its link to the master is up. */
  readonly linked: boolean;
  readonly reached: boolean;
}

export interface Sentinels {
  /** @throws DrError REDIS_SENTINEL where none knows a master. */
  look(): Promise<SentinelView>;
  /** As each that answers has them, the one with the newest configuration first. */
  replicas(): Promise<KnownReplica[][]>;
  /** Undefined where enough of them see one another to fail over by themselves, else what is amiss. */
  quorumProblem(): Promise<string | undefined>;
  /** Asks for a failover. @returns undefined where one has begun, else why not: one is under way, or nobody can be chosen */
  failOver(): Promise<string | undefined>;
  /** Of each that answers, how long the master may be silent; for as long as they are told otherwise. */
  downAfter(): Promise<Record<string, number>>;
  setDownAfter(bySentinel: Readonly<Record<string, number>>): Promise<void>;
}

/** A Sentinel answers at once, or its host is gone. */
const ANSWER_MS = 2_000;

export async function withSentinels<T>(
  group: SentinelGroup,
  work: (sentinels: Sentinels) => Promise<T>,
): Promise<T> {
  const open: Opened[] = [];
  const unreached: string[] = [];
  await Promise.all(
    group.nodes.map(async (node) => {
      const at = addressOf(node);
      try {
        const client = await within(connect(node), ANSWER_MS, 'answer', (late) => late.disconnect());
        open.push({ at, client });
      } catch (error) {
        unreached.push(`${at}: ${reasonOf(error)}`);
      }
    }),
  );
  try {
    return await work(sentinelsOf(group, open, unreached));
  } finally {
    for (const { client } of open) client.disconnect();
  }
}

interface Opened {
  readonly at: string;
  readonly client: Client;
}

function sentinelsOf(
  { name, nodes }: SentinelGroup,
  open: readonly Opened[],
  unreached: readonly string[],
): Sentinels {
  /** The newest first. */
  const askAll = async (): Promise<{ told: (Told & Opened)[]; silent: string[] }> => {
    const told: (Told & Opened)[] = [];
    const silent = [...unreached];
    await Promise.all(
      open.map(async (one) => {
        try {
          told.push({ ...one, ...(await within(askOne(one.client, name), ANSWER_MS, 'answer')) });
        } catch (error) {
          silent.push(`${one.at}: ${reasonOf(error)}`);
        }
      }),
    );
    if (told.length === 0)
      throw new DrError('REDIS_SENTINEL', {
        ...{ name, nodes: nodes.map(addressOf).join(', '), reason: silent.join('; ') },
      });
    return { told: told.sort((a, b) => b.epoch - a.epoch), silent };
  };
  const newest = async (): Promise<Client> => (await askAll()).told[0]!.client;
  return {
    async look() {
      const { told, silent } = await askAll();
      const { master, quorum, downAfterMs } = told[0]!;
      return {
        ...{ master, quorum, downAfterMs, silent },
        failingOver: told.some(({ failingOver }) => failingOver),
        named: told.map(({ at, master: named }) => ({ sentinel: at, master: named })),
      };
    },
    async replicas() {
      const { told } = await askAll();
      return Promise.all(
        told.map(async ({ client }) =>
          ((await client.call('SENTINEL', 'REPLICAS', name)) as unknown[]).map(asFields).map(knownReplica),
        ),
      );
    },
    async quorumProblem() {
      const sentinel = await newest();
      return refusal(() => sentinel.call('SENTINEL', 'CKQUORUM', name));
    },
    async failOver() {
      const sentinel = await newest();
      return refusal(() => sentinel.call('SENTINEL', 'FAILOVER', name));
    },
    async downAfter() {
      const { told } = await askAll();
      return Object.fromEntries(told.map(({ at, downAfterMs }) => [at, downAfterMs]));
    },
    async setDownAfter(bySentinel) {
      for (const { at, client } of open) {
        const ms = bySentinel[at];
        if (ms !== undefined)
          await client.call('SENTINEL', 'SET', name, 'down-after-milliseconds', String(ms));
      }
    },
  };
}

function knownReplica(row: Record<string, string>): KnownReplica {
  const reached = !/down|disconnected/.test(row['flags'] ?? '');
  return {
    ...{ host: row['ip'] ?? '', port: Number(row['port']), priority: Number(row['slave-priority']) },
    reached,
    linked: reached && row['master-link-status'] === 'ok',
  };
}

interface Told {
  readonly master: Address;
  /** Grows with every failover. */
  readonly epoch: number;
  readonly failingOver: boolean;
  readonly quorum: number;
  readonly downAfterMs: number;
}

/** Whom it names to clients changes as soon as a server is promoted; what it writes of the master, at the end. */
async function askOne(sentinel: Client, name: string): Promise<Told> {
  const [named, row] = await Promise.all([
    sentinel.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name) as Promise<[string, string] | null>,
    sentinel.call('SENTINEL', 'MASTER', name),
  ]);
  if (named === null) throw new Error('it knows no master of this name');
  const fields = asFields(row);
  return {
    master: { host: named[0], port: Number(named[1]) },
    epoch: Number(fields['config-epoch']),
    failingOver: fields['flags']?.includes('failover_in_progress') === true,
    quorum: Number(fields['quorum']),
    downAfterMs: Number(fields['down-after-milliseconds']),
  };
}

async function refusal(asking: () => Promise<unknown>): Promise<string | undefined> {
  try {
    await asking();
    return undefined;
  } catch (error) {
    return reasonOf(error);
  }
}

const reasonOf = (error: unknown): string =>
  error instanceof DrError ? String(error.details['reason']) : (error as Error).message;

export const addressText = ({ host, port }: Address): string => `${host}:${port}`;

/** A failover that has begun by itself ends within seconds, or is given up. */
const SETTLE_MS = 5_000;
const POLL_MS = 50;

/** What they say once none of them is in the middle of a failover. @throws DrError REDIS_SENTINEL */
export async function settledView(sentinels: Sentinels, signal?: AbortSignal): Promise<SentinelView> {
  const deadline = Date.now() + SETTLE_MS;
  for (;;) {
    const view = await sentinels.look();
    if (!view.failingOver || Date.now() > deadline) return view;
    await sleep(POLL_MS, undefined, signal ? { signal } : {});
  }
}

export interface NotChosen {
  readonly reason: string;
  /** They see each server only now and then. */
  readonly mayPass?: true;
}

/** Why they could not, or would not, choose this server, were they asked for a failover now; undefined where they would. */
export async function whyNotChosen(sentinels: Sentinels, server: Address): Promise<NotChosen | undefined> {
  const [known = []] = await sentinels.replicas();
  const own: KnownReplica[] = [];
  const others: KnownReplica[] = [];
  for (const each of known) ((await sameAddress(each, server)) ? own : others).push(each);
  const [mine] = own;
  if (!mine) return { reason: `they do not know ${addressText(server)} as a replica` };
  if (!mine.reached) return { reason: `they do not reach ${addressText(server)}`, mayPass: true };
  if (mine.priority === 0) return { reason: 'its replica-priority is 0, which means never', mayPass: true };
  const before = others.find(({ reached, priority }) => reached && priority > 0 && priority <= mine.priority);
  return before === undefined
    ? undefined
    : {
        reason: `they may choose ${addressText(before)}, whose replica-priority is ${before.priority}; that of ${addressText(server)} is ${mine.priority}`,
      };
}

/** The same, where what may pass has been given the time for it. */
export async function stillNotChosen(
  sentinels: Sentinels,
  server: Address,
  signal: AbortSignal,
): Promise<NotChosen | undefined> {
  const deadline = Date.now() + SETTLE_MS;
  for (;;) {
    const why = await whyNotChosen(sentinels, server);
    if (!why?.mayPass || Date.now() > deadline) return why;
    await sleep(POLL_MS, undefined, { signal });
  }
}

interface Switching {
  readonly group: SentinelGroup;
  /** The server that is to be the master. */
  readonly to: RedisEndpoint & Address;
  /** The one that it follows, or followed. */
  readonly from: Address;
  /** Whose server it is, for people. */
  readonly site: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** A failover that came to nothing may be asked for again; until then, whether it will is not known. */
const ASK_AGAIN_MS = 5_000;

/**
 * Has the Sentinels make a server the master, unless they have already; whatever they have begun is waited for. All that
 * answer name it in the end, and it is a master.
 *
 * @returns whether they had to be asked
 * @throws DrError REDIS_SENTINEL, SENTINEL_NAMES_ANOTHER, SENTINEL_CANNOT_CHOOSE, SENTINEL_NO_MAJORITY, PROMOTION_FAILED
 */
export function switchMaster({ group, to, from, site, timeoutMs, signal }: Switching): Promise<boolean> {
  const { name } = group;
  const deadline = Date.now() + timeoutMs;
  const isNamed = (address: Address): Promise<boolean> => sameAddress(address, to);
  return withSentinels(group, async (sentinels) => {
    let askedAt: number | undefined;
    let last = '';
    for (;;) {
      const { master, named, failingOver } = await sentinels.look();
      if (await isNamed(master)) {
        const still = await firstOf(named, async (each) => !(await isNamed(each.master)));
        if (still === undefined && (await isMaster(to))) return askedAt !== undefined;
        last = still
          ? `${still.sentinel} still names ${addressText(still.master)}`
          : `${addressOf(to)} is named, and is no master yet`;
      } else if (failingOver) last = 'the Sentinels are in the middle of a failover';
      else if (!(await sameAddress(master, from)))
        throw new DrError('SENTINEL_NAMES_ANOTHER', {
          ...{ name, site, actual: addressText(master), expected: addressOf(to) },
        });
      else if (askedAt === undefined || Date.now() - askedAt > ASK_AGAIN_MS) {
        const missing = await sentinels.quorumProblem();
        if (missing !== undefined) throw new DrError('SENTINEL_NO_MAJORITY', { name, reason: missing });
        const why = await whyNotChosen(sentinels, to);
        if (why && (!why.mayPass || Date.now() > deadline))
          throw new DrError('SENTINEL_CANNOT_CHOOSE', { name, site, reason: why.reason });
        const refused = why?.reason ?? (await sentinels.failOver());
        if (refused === undefined) askedAt = Date.now();
        last = refused ?? 'they were asked';
      }
      if (Date.now() > deadline)
        throw new DrError('PROMOTION_FAILED', {
          store: 'Redis',
          site,
          reason: `${last} (Sentinels of ${name})`,
        });
      await sleep(POLL_MS, undefined, { signal });
    }
  });
}

/** Sentinels cut the connections of all clients of a server whose role they change: that says nothing yet. */
async function isMaster(server: RedisEndpoint): Promise<boolean> {
  try {
    return (await withClient(server, redisPosition)).role === 'master';
  } catch (error) {
    if (error instanceof DrError && error.code === 'STORE_UNREACHABLE') return false;
    throw error;
  }
}

async function firstOf<T>(all: readonly T[], holds: (each: T) => Promise<boolean>): Promise<T | undefined> {
  for (const each of all) if (await holds(each)) return each;
  return undefined;
}

/** Waits until all that answer know a server as a replica whose link is up: then they can choose it. @throws DrError REPLICA_NOT_LEVEL */
export async function awaitKnown(
  group: SentinelGroup,
  server: Address,
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  await withSentinels(group, async (sentinels) => {
    for (;;) {
      const ofEach = await sentinels.replicas();
      const without = await firstOf(ofEach, async (known) => {
        const found = await firstOf(known, (each) => sameAddress(each, server));
        return found?.linked !== true;
      });
      if (without === undefined) return;
      if (Date.now() > deadline)
        throw new DrError('REPLICA_NOT_LEVEL', {
          ...{ store: 'Redis', address: addressText(server) },
          reason: `not all Sentinels of ${group.name} know it as a replica whose link is up; host and port must be those that its master sees`,
        });
      await sleep(POLL_MS * 4, undefined, { signal });
    }
  });
}
