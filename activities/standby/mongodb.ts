import { somebodyListens } from '../../adapters/host/ports.ts';
import { holdsEntry, setStatus, withMember, type Member } from '../../adapters/mongodb/replica-set.ts';
import type { MongoEndpoint } from '../../adapters/mongodb/client.ts';
import type { Site } from '../../domain/config.ts';
import {
  optimeText,
  parseOptime,
  primaryIn,
  statusOf,
  type MemberStatus,
  type SetStatus,
} from '../../domain/replica-set.ts';
import type { StoreStanding } from '../../domain/replication.ts';
import type { Secret, SecretRef } from '../../domain/secret.ts';
import { mongoEndpoint, mongoOf } from '../database/mongodb.ts';

/** MongoDB of two sites: the servers of both are members of one replica set, each known to it by its host and port. */

interface Asking {
  secret(reference: SecretRef): Promise<Secret>;
}

export const isMongo = ({ database }: Site): boolean => database?.kind === 'mongodb';

/** As the replica set calls the member of a site. */
export function memberName(site: Site): string {
  const { host, port } = mongoOf(site);
  return `${host}:${port}`;
}

/** Runs some work on the member of a site alone, wherever the primary is. @throws DrError STORE_UNREACHABLE */
export async function atMember<T>(
  { secret }: Asking,
  site: Site,
  work: (member: Member, endpoint: MongoEndpoint) => Promise<T>,
): Promise<T> {
  const endpoint = await mongoEndpoint(mongoOf(site), secret);
  return withMember(endpoint, (member) => work(member, endpoint));
}

/** Another member, by the name that the set has for it; it takes the same users. */
export function endpointAt(endpoint: MongoEndpoint, name: string): MongoEndpoint {
  const colon = name.lastIndexOf(':');
  return { ...endpoint, host: name.slice(0, colon), port: Number(name.slice(colon + 1)) };
}

const SECOND_MS = 1000;

/** As the standby's own member sees it; how far it is behind, where the source's can be asked as well. */
export async function mongoStanding(
  asking: Asking & { readonly target: Site; readonly source: Site },
): Promise<Omit<StoreStanding, 'store' | 'site'>> {
  const { target, source } = asking;
  const [own, theirs] = await Promise.all([
    atMember(asking, target, setStatus),
    statusIfThere(asking, source),
  ]);
  const self = statusOf(own, memberName(target));
  if (!self) return { role: 'unreachable', problem: notMember(own, memberName(target)) };
  // Nobody but the set itself makes a member its primary.
  if (self.state === 'PRIMARY') return { role: 'writes', elected: true };
  const ahead = theirs && statusOf(theirs, memberName(source));
  return {
    role: 'follows',
    streaming: isFollowing(own, self),
    ...(self.optime ? { position: optimeText(self.optime) } : {}),
    ...(ahead?.optime && self.optime
      ? { logLagMs: Math.max(0, ahead.optime.seconds - self.optime.seconds) * SECOND_MS }
      : {}),
    ...problemOf(own, self),
  };
}

/** A port that nobody listens on is known at once: a driver looks for a server for seconds. */
async function statusIfThere(asking: Asking, site: Site): Promise<SetStatus | undefined> {
  const { host, port } = mongoOf(site);
  if (!(await somebodyListens(host, port))) return undefined;
  return atMember(asking, site, setStatus).catch(() => undefined);
}

const isFollowing = (status: SetStatus, { state, syncsFrom }: MemberStatus): boolean =>
  state === 'SECONDARY' && syncsFrom !== undefined && primaryIn(status) !== undefined;

function problemOf(status: SetStatus, self: MemberStatus): Pick<StoreStanding, 'problem'> {
  if (self.state !== 'SECONDARY') return { problem: stateText(self) };
  if (!primaryIn(status)) return { problem: 'the replica set has no primary' };
  return self.syncsFrom === undefined ? { problem: 'it reads from no member' } : {};
}

export const stateText = ({ state, message }: MemberStatus): string =>
  `its state is ${state}${message === undefined ? '' : ` (${message})`}`;

export const notMember = ({ set, members }: SetStatus, name: string): string =>
  `${name} is no member of the replica set ${set}; its members are ${members.map(({ host }) => host).join(', ')}`;

/** Where the member of a site is. */
export async function mongoPosition(asking: Asking, site: Site): Promise<string | undefined> {
  const status = await atMember(asking, site, setStatus);
  const optime = statusOf(status, memberName(site))?.optime;
  return optime && optimeText(optime);
}

/** A member may be ahead by the term of another primary and lack an entry all the same: it is looked for. */
export async function holdsPosition(asking: Asking, site: Site, position: string): Promise<boolean> {
  return atMember(asking, site, (member) => holdsEntry(member, parseOptime(position)));
}
