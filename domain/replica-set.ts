/**
 * A MongoDB replica set that spans the sites: what its members say of it, and what becomes of its configuration. The rules
 * are those of MongoDB's manual (replSetReconfig, elections); none of it is proven on a genuine mongod. Pure.
 */

export const NOT_PROVEN = 'not proven on a genuine mongod';

/** A place in the oplog. */
export interface Optime {
  readonly seconds: number;
  readonly ordinal: number;
  /** Of the primary that wrote the entry. */
  readonly term: number;
}

export const optimeText = ({ seconds, ordinal, term }: Optime): string => `${seconds}:${ordinal}/${term}`;

/** @throws Error for what `optimeText` has not written */
export function parseOptime(text: string): Optime {
  const found = /^(\d+):(\d+)\/(-?\d+)$/.exec(text);
  if (!found) throw new Error(`no optime: ${text}`);
  const [seconds, ordinal, term] = found.slice(1).map(Number) as [number, number, number];
  return { seconds, ordinal, term };
}

/** As the servers do: the term counts first. */
export function compareOptimes(a: Optime, b: Optime): number {
  return a.term - b.term || a.seconds - b.seconds || a.ordinal - b.ordinal;
}

/** One server as another one sees it (`members` of replSetGetStatus). */
export interface MemberStatus {
  readonly host: string;
  /** `PRIMARY`, `SECONDARY`, `STARTUP2`, ... */
  readonly state: string;
  readonly reachable: boolean;
  readonly self: boolean;
  readonly optime?: Optime;
  readonly syncsFrom?: string;
  /** Why its last heartbeat failed, or what it tells of itself. */
  readonly message?: string;
}

export interface SetStatus {
  readonly set: string;
  readonly term: number;
  readonly members: readonly MemberStatus[];
}

export interface SetMember {
  readonly _id: number;
  readonly host: string;
  readonly votes: number;
  readonly priority: number;
  readonly tags?: Readonly<Record<string, string>>;
  readonly [field: string]: unknown;
}

/** As replSetGetConfig gives it, with every field that is none of our business. */
export interface SetConfig {
  readonly version: number;
  readonly members: readonly SetMember[];
  readonly [field: string]: unknown;
}

export const memberAt = (config: SetConfig, host: string): SetMember | undefined =>
  config.members.find((member) => member.host === host);

export const statusOf = (status: SetStatus, host: string): MemberStatus | undefined =>
  status.members.find((member) => member.host === host);

export const primaryIn = ({ members }: SetStatus): MemberStatus | undefined =>
  members.find(({ state, reachable, self }) => state === 'PRIMARY' && (reachable || self));

const votersOf = ({ members }: SetConfig): readonly SetMember[] => members.filter(({ votes }) => votes > 0);

const majorityOf = (voters: number): number => Math.floor(voters / 2) + 1;

/** Whether those that vote can elect, and a primary stay one, while one member is away. */
export function bearsLossOf(config: SetConfig, host: string): boolean {
  const voters = votersOf(config);
  return voters.filter((member) => member.host !== host).length >= majorityOf(voters.length);
}

/**
 * Without a vote, so that its loss never costs the source its majority, and with priority 0, so that it takes over when a
 * failover says so. @returns undefined where it is a member: with what people have given it.
 */
export function withStandby(config: SetConfig, host: string): SetConfig | undefined {
  if (memberAt(config, host)) return undefined;
  const _id = Math.max(...config.members.map((member) => member._id)) + 1;
  return { ...config, members: [...config.members, { _id, host, votes: 0, priority: 0 }] };
}

/** @returns undefined where it is none, or one that votes: a person made it so. */
export function withoutStandby(config: SetConfig, host: string): SetConfig | undefined {
  const member = memberAt(config, host);
  if (!member || member.votes > 0 || member.priority > 0) return undefined;
  return { ...config, members: config.members.filter((each) => each.host !== host) };
}

/** The note in the configuration itself of what a member had before it was raised: an undo by another worker finds it. */
const BEFORE = 'tyk-dr-before';
const HIGHEST_PRIORITY = 1000;

type Weight = Pick<SetMember, 'votes' | 'priority'>;

function noted({ tags }: SetMember): Weight | undefined {
  const [votes, priority] = (tags?.[BEFORE] ?? '').split('/').map(Number);
  return votes === undefined || priority === undefined || Number.isNaN(votes + priority)
    ? undefined
    : { votes, priority };
}

function withNote(member: SetMember): SetMember {
  if (noted(member)) return member;
  return { ...member, tags: { ...member.tags, [BEFORE]: `${member.votes}/${member.priority}` } };
}

function withoutNote({ tags = {}, ...member }: SetMember): SetMember {
  const rest = Object.entries(tags).filter(([name]) => name !== BEFORE);
  return { ...member, tags: Object.fromEntries(rest) };
}

/** @throws Error where there is no such member */
function changed(config: SetConfig, host: string, change: (member: SetMember) => SetMember): SetConfig {
  if (!memberAt(config, host)) throw new Error(`${host} is no member of the replica set`);
  return {
    ...config,
    members: config.members.map((member) => (member.host === host ? change(member) : member)),
  };
}

/**
 * The next step towards a set that elects this member: first its vote, then its priority, each a configuration of its own.
 * At most one vote may change at a time, and of a set with an arbiter a member that had no vote may not become electable
 * at once. @returns undefined where nothing is left to do.
 */
export function raised(config: SetConfig, host: string): SetConfig | undefined {
  const member = memberAt(config, host);
  if (!member) throw new Error(`${host} is no member of the replica set`);
  if (member.votes === 0) return changed(config, host, (each) => ({ ...withNote(each), votes: 1 }));
  const others = Math.max(
    ...config.members.filter((each) => each.host !== host).map((each) => each.priority),
  );
  if (member.priority > others || member.priority === HIGHEST_PRIORITY) return undefined;
  const priority = Math.min(others + 1, HIGHEST_PRIORITY);
  return changed(config, host, (each) => ({ ...withNote(each), priority }));
}

/** A raised member that was not elected gets back what it had. @returns undefined where there is nothing to give back. */
export function lowered(config: SetConfig, host: string): SetConfig | undefined {
  const before = noted(memberAt(config, host) ?? { _id: 0, host, votes: 0, priority: 0 });
  return before && changed(config, host, (member) => withoutNote({ ...member, ...before }));
}

/**
 * Once a raised member is the primary: the two exchange their votes and priorities, and after an undo have again what they
 * had. The one that is stopped next keeps a vote only where the others are a majority without it. @returns undefined
 * where that is so already.
 */
export function settled(config: SetConfig, to: string, from: string): SetConfig | undefined {
  const [winner, loser] = [memberAt(config, to), memberAt(config, from)];
  if (!winner) throw new Error(`${to} is no member of the replica set`);
  const [own, undone] = [noted(winner), loser && noted(loser)];
  if (!own) return undefined;
  const wins: Weight = undone ? own : { votes: 1, priority: Math.max(1, loser?.priority ?? 1) };
  const taken = changed(config, to, (member) => withoutNote({ ...member, ...wins, votes: 1 }));
  if (!loser) return taken;
  const wanted = changed(taken, from, (member) => withoutNote({ ...member, ...(undone ?? own) }));
  if (bearsLossOf(wanted, from)) return wanted;
  return changed(taken, from, (member) => withoutNote({ ...member, votes: 0, priority: 0 }));
}

/** Who takes over, and who is given up. */
export interface Takeover {
  readonly target: string;
  readonly lost: string;
}

/** What a promotion does next; `force` is there for a set that can no longer elect anybody. */
export type NextOfPromotion =
  | { readonly kind: 'is-primary' }
  | { readonly kind: 'wait'; readonly why: string }
  | { readonly kind: 'raise'; readonly through: string }
  | { readonly kind: 'force'; readonly config: SetConfig }
  | { readonly kind: 'refuse'; readonly why: string };

const ELECTION_TIMEOUT_MS = 10_000;

/**
 * A member whose heartbeats stay away is called unreachable after one such time, and an election follows within another;
 * the third is for an election that nobody wins. What was seen before that may be old.
 */
export function patienceMs({ settings }: SetConfig): number {
  const own = (settings as { electionTimeoutMillis?: unknown } | undefined)?.electionTimeoutMillis;
  return 3 * (typeof own === 'number' ? own : ELECTION_TIMEOUT_MS);
}

/**
 * A majority that elects is never fought: its choice is waited for and, where it is another member, asked for another one.
 * A configuration is forced only where no majority is left that could elect, here or out of sight.
 *
 * @param waitedMs since the promotion began
 */
export function nextOfPromotion(
  config: SetConfig,
  status: SetStatus,
  { target, lost }: Takeover,
  waitedMs: number,
): NextOfPromotion {
  const primary = primaryIn(status);
  const patient = waitedMs < patienceMs(config);
  if (primary?.host === target) return { kind: 'is-primary' };
  if (primary && primary.host !== lost) return { kind: 'raise', through: primary.host };
  if (primary)
    return patient
      ? { kind: 'wait', why: `${lost} was PRIMARY a moment ago` }
      : { kind: 'refuse', why: `${lost} is still PRIMARY, as ${target} sees it: it is not fenced` };
  const seen = (host: string): boolean =>
    host === target || (host !== lost && (statusOf(status, host)?.reachable ?? false));
  const voters = votersOf(config);
  const majority = majorityOf(voters.length);
  const present = voters.filter(({ host }) => seen(host));
  const electable = present.some(({ priority }) => priority > 0);
  if (present.length >= majority && electable && patient)
    return { kind: 'wait', why: 'its members hold an election' };
  const hidden = voters.filter(({ host }) => !seen(host) && host !== lost).map(({ host }) => host);
  if (hidden.length >= majority)
    return {
      kind: 'refuse',
      why: `${hidden.join(', ')} cannot be seen from ${target}, and could elect without ${lost}: stop them, or let them be reached`,
    };
  return { kind: 'force', config: survivors(config, seen, { target, lost }) };
}

/** Without the lost member; what cannot be reached besides stays a member, but has no say until a person gives it one. */
function survivors(
  config: SetConfig,
  seen: (host: string) => boolean,
  { target, lost }: Takeover,
): SetConfig {
  const kept = config.members
    .filter(({ host }) => host !== lost)
    .map((member) => (seen(member.host) ? member : { ...member, votes: 0, priority: 0 }));
  const others = Math.max(0, ...kept.filter(({ host }) => host !== target).map(({ priority }) => priority));
  const priority = Math.min(HIGHEST_PRIORITY, Math.max(1, others + (others > 0 ? 1 : 0)));
  return changed({ ...config, members: kept }, target, (member) =>
    withoutNote({ ...member, votes: 1, priority: Math.max(priority, member.priority) }),
  );
}

/** A forced configuration that is in force needs no second one. */
export function isSurvivors(config: SetConfig, { target, lost }: Takeover): boolean {
  const member = memberAt(config, target);
  return !memberAt(config, lost) && member !== undefined && member.votes > 0 && member.priority > 0;
}
