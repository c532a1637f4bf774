import { setTimeout as sleep } from 'node:timers/promises';
import { DrError } from '../../domain/errors.ts';
import { within } from '../process/within.ts';
import { addressOf, connect, type Client } from './client.ts';
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
  readonly named: readonly NamedBy[];
  /** The others, with why. */
  readonly silent: readonly string[];
  /** How many there are, as the Sentinels themselves know one another. */
  readonly known: number;
  /** So many must agree that the master is down before they act by themselves. */
  readonly quorum: number;
}

export interface NamedBy {
  readonly sentinel: string;
  readonly master: Address;
  /** Since the master has answered it last; absent while it is not connected to it. */
  readonly answeredMsAgo?: number;
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
  /** By each that answers: how long the master may be silent before it takes it for down, milliseconds. */
  downAfter(): Promise<Record<string, number>>;
  /** @returns those that were told */
  setDownAfter(bySentinel: Readonly<Record<string, number>>): Promise<string[]>;
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
      const { master, quorum } = told[0]!;
      return {
        ...{ master, quorum, silent, known: Math.max(...told.map(({ known }) => known)) },
        failingOver: told.some(({ failingOver }) => failingOver),
        named: told.map(({ at, master: named, answeredMsAgo }) => ({
          ...{ sentinel: at, master: named },
          ...(answeredMsAgo === undefined ? {} : { answeredMsAgo }),
        })),
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
      const told: string[] = [];
      for (const { at, client } of open) {
        const ms = bySentinel[at];
        if (ms === undefined) continue;
        const refused = await refusal(() =>
          client.call('SENTINEL', 'SET', name, 'down-after-milliseconds', String(ms)),
        );
        if (refused === undefined) told.push(at);
      }
      return told;
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
  readonly known: number;
  readonly downAfterMs: number;
  readonly answeredMsAgo?: number;
}

/** Whom it names to clients changes as soon as a server is promoted; what it writes of the master, at the end. */
async function askOne(sentinel: Client, name: string): Promise<Told> {
  const [named, row] = await Promise.all([
    sentinel.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name) as Promise<[string, string] | null>,
    sentinel.call('SENTINEL', 'MASTER', name),
  ]);
  if (named === null) throw new Error('it knows no master of this name');
  const fields = asFields(row);
  const flags = fields['flags'] ?? '';
  return {
    ...(/down|disconnected/.test(flags) ? {} : { answeredMsAgo: Number(fields['last-ok-ping-reply']) }),
    master: { host: named[0], port: Number(named[1]) },
    epoch: Number(fields['config-epoch']),
    failingOver: flags.includes('failover_in_progress'),
    quorum: Number(fields['quorum']),
    known: Number(fields['num-other-sentinels']) + 1,
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
export const SETTLE_MS = 5_000;
export const POLL_MS = 50;

/** What they say once none of them is in the middle of a failover. @throws DrError REDIS_SENTINEL */
export async function settledView(sentinels: Sentinels, signal?: AbortSignal): Promise<SentinelView> {
  const deadline = Date.now() + SETTLE_MS;
  for (;;) {
    const view = await sentinels.look();
    if (!view.failingOver || Date.now() > deadline) return view;
    await sleep(POLL_MS, undefined, signal ? { signal } : {});
  }
}
