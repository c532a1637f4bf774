import type { MongoEndpoint } from '../../adapters/mongodb/client.ts';
import {
  hello,
  mayBeElected,
  reconfigure,
  setConfig,
  setStatus,
  stepDown,
  withMember,
  type Member,
} from '../../adapters/mongodb/replica-set.ts';
import { DrError } from '../../domain/errors.ts';
import type { SourceStore } from '../../domain/plan.ts';
import {
  lowered,
  memberAt,
  NOT_PROVEN,
  optimeText,
  patienceMs,
  primaryIn,
  raised,
  settled,
  statusOf,
  withoutStandby,
  withStandby,
} from '../../domain/replica-set.ts';
import type { Proof } from '../../domain/run.ts';
import { awaitUntil } from '../await-until.ts';
import { mongoOf } from '../database/mongodb.ts';
import type { Call } from '../guard.ts';
import { proof } from '../proofs.ts';
import { atMember, endpointAt, memberName, stateText } from './mongodb.ts';

/** MongoDB at the site that serves, or served: its member is the primary, lets another one follow, and hands over to it. */

/** @throws DrError SOURCE_UNFIT, MONGO_DENIED */
export async function checkMongoSource(call: Call): Promise<{ proofs: Proof[]; store: SourceStore }> {
  const { source, input } = call;
  const unfit = (reason: string): DrError =>
    new DrError('SOURCE_UNFIT', { store: 'the database', site: input.plan.from, reason });
  return atMember(call, source, async (member) => {
    const name = memberName(source);
    const { replicaSet } = mongoOf(source);
    const { setName, isPrimary, primary } = await hello(member);
    if (setName !== replicaSet)
      throw unfit(
        setName === undefined
          ? `MongoDB at ${name} is no member of a replica set; expected ${replicaSet}`
          : `MongoDB at ${name} is of the replica set ${setName}; expected ${replicaSet}`,
      );
    const config = await setConfig(member);
    if (!memberAt(config, name))
      throw unfit(
        `the replica set ${setName} does not call it ${name}, but one of ${config.members.map(({ host }) => host).join(', ')}; expected host and port as the set has them`,
      );
    if (!isPrimary) throw unfit(`${name} is not the primary; ${primary ?? 'nobody'} is`);
    const { version, bytes } = await sizeOf(member);
    return {
      proofs: [proof(`MongoDB is the primary of ${replicaSet} (${NOT_PROVEN})`, true, name, primary ?? name)],
      store: { store: 'database', version, ...(bytes === undefined ? {} : { bytes }) },
    };
  });
}

async function sizeOf({ client }: Member): Promise<{ version: string; bytes: number | undefined }> {
  const { version } = await client.db('admin').command({ buildInfo: 1 });
  // Whoever may not see all databases is told no size.
  const databases = await client
    .db('admin')
    .command({ listDatabases: 1 })
    .catch(() => undefined);
  const bytes: unknown = databases?.['totalSize'];
  return { version: String(version), bytes: typeof bytes === 'number' ? bytes : undefined };
}

/** @returns what was done, for people */
export async function openMongo(call: Call): Promise<string> {
  const name = memberName(call.target);
  const changes = await atMember(call, call.source, (member) =>
    reconfigure(member, (config) => withStandby(config, name), call),
  );
  return changes > 0
    ? `${name} is a member of the replica set, without a vote and with priority 0`
    : `${name} is a member of the replica set already`;
}

/** @returns what was done, for people */
export async function closeMongo(call: Call): Promise<string> {
  const name = memberName(call.target);
  const changes = await atMember(call, call.source, (member) =>
    reconfigure(member, (config) => withoutStandby(config, name), call),
  );
  return changes > 0
    ? `${name} removed from the replica set`
    : `${name} left in the replica set: it votes there, or is no member`;
}

/** The primary steps down once the standby has everything. @returns where its own log ended */
export async function handOverMongo(call: Call): Promise<string> {
  return handOver(call, { from: call.source, to: call.target });
}

/** Undoes the above from wherever it has come to. @returns what was done, for people */
export async function takeBackMongo(call: Call): Promise<string> {
  const { source, target } = call;
  const standby = memberName(target);
  const isPrimary = await atMember(call, source, async (member) => (await hello(member)).isPrimary);
  if (!isPrimary) {
    await handOver(call, { from: target, to: source });
    return 'MongoDB, the primary again';
  }
  await atMember(call, source, (member) =>
    reconfigure(member, (config) => lowered(config, standby), { signal: call.signal }),
  );
  return 'MongoDB';
}

interface Roles {
  readonly from: Call['source'];
  readonly to: Call['source'];
}

/** Each part looks first: a repeated call goes on from where the last one ended. */
async function handOver(call: Call, { from, to }: Roles): Promise<string> {
  const [winner, loser] = [memberName(to), memberName(from)];
  return atMember(call, to, async (member, endpoint) => {
    if (!(await hello(member)).isPrimary) await elect(call, member, endpoint);
    const end = await atMember(call, from, async (own) => statusOf(await setStatus(own), loser));
    if (!end?.optime) throw refuses(winner, `${loser} does not tell where its log ended`);
    await reconfigure(member, (config) => settled(config, winner, loser), call);
    return optimeText(end.optime);
  });
}

async function elect(call: Call, member: Member, endpoint: MongoEndpoint): Promise<void> {
  const { signal } = call;
  const name = member.address;
  await mayBeElected(member);
  const primary = primaryIn(await setStatus(member));
  if (!primary) throw refuses(name, 'the replica set has no primary: nobody can hand over');
  await withMember(endpointAt(endpoint, primary.host), async (old) => {
    await reconfigure(old, (config) => raised(config, name), { signal });
    await stepDown(old).catch(async (error: unknown) => {
      await reconfigure(old, (config) => lowered(config, name), { signal });
      throw error;
    });
  });
  let last = 'nothing';
  await awaitUntil(
    async () => {
      if ((await hello(member)).isPrimary) return true;
      const status = await setStatus(member);
      const self = statusOf(status, name);
      last = `${self ? stateText(self) : 'it is no member'}, and ${primaryIn(status)?.host ?? 'nobody'} is the primary`;
      return undefined;
    },
    {
      ...{ timeoutMs: patienceMs(await setConfig(member)), everyMs: 50, signal },
      late: () => refuses(name, `it was not elected: ${last}`),
    },
  );
}

const refuses = (address: string, reason: string): DrError =>
  new DrError('REPLICA_SET_REFUSES', { address, command: 'replSetStepDown', reason });
