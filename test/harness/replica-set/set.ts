import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Long, type Document, type Timestamp } from 'mongodb';
import { freePort } from '../../../adapters/host/free-port.ts';
import { compareOptimes, type Optime } from '../../../domain/replica-set.ts';
import { Member, timestampOf, type SetAnswers } from './member.ts';
import {
  majorityOf,
  Refusal,
  replicaSetId,
  requireSuccessor,
  requireValid,
  votersOf,
  type ReplConfig,
} from './rules.ts';
import type { Message } from './wire.ts';

/**
 * A STAND-IN for a replica set, as no genuine mongod can be had: it answers the replica-set commands by the rules of
 * MongoDB's manual, and leaves all else to FerretDB. What passes against it is not proven on a genuine mongod. Not there:
 * votes over several rounds, chained members, elections that fail, users; heartbeats are seen at once.
 */

const TICK_MS = 20;
/** A genuine one takes up to ten seconds. */
const ELECTION_AFTER_MS = 150;
const TAKEOVER_AFTER_MS = 2_000;

export class ReplicaSetStandIn implements SetAnswers {
  readonly name = 'rs0';
  readonly members: Member[] = [];
  readonly dir: string;
  /** Test: commands that the user may not run. */
  readonly denied = new Set<string>();
  #stamp: Optime = { seconds: 0, ordinal: 0, term: 0 };
  #since = new Map<string, number>();
  #over = false;
  #ticking: Promise<void> | undefined;

  private constructor(dir: string) {
    this.dir = dir;
  }

  /** @param count members that can be started; the first is initiated as a set of one */
  static async start(count = 2): Promise<ReplicaSetStandIn> {
    const made = new ReplicaSetStandIn(await mkdtemp(join(tmpdir(), 'tyk-dr-replica-set-')));
    for (let index = 0; index < count; index += 1)
      made.members.push(new Member(made, await freePort(), join(made.dir, `member-${index}`)));
    const first = made.members[0]!;
    await first.start();
    first.config = {
      ...{ _id: made.name, version: 1, term: 1, protocolVersion: 1 },
      members: [{ ...DEFAULTS, _id: 0, host: first.name }],
      settings: { electionTimeoutMillis: 1_000, replicaSetId: made.dir },
    };
    first.state = 'SECONDARY';
    made.#ticking = made.#run();
    await made.until(() => first.state === 'PRIMARY');
    return made;
  }

  async close(): Promise<void> {
    this.#over = true;
    await this.#ticking;
    await Promise.all(this.members.map((member) => member.stop()));
    await rm(this.dir, { recursive: true, force: true });
  }

  async until(holds: () => boolean, timeoutMs = 10_000): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    while (!holds()) {
      if (Date.now() > deadline)
        throw new Error(`not so: ${this.members.map(({ name, state }) => `${name} ${state}`).join(', ')}`);
      await sleep(TICK_MS);
    }
  }

  async answer(member: Member, message: Message): Promise<Document | undefined> {
    const { name, command, database } = message;
    if (this.denied.has(name))
      throw new Refusal(
        13,
        'Unauthorized',
        `not authorized on ${database} to execute command { ${name}: 1 }`,
      );
    switch (name) {
      case 'hello':
      case 'isMaster':
      case 'ismaster':
        return this.#hello(member);
      case 'replSetGetStatus':
        return this.#status(member);
      case 'replSetGetConfig':
        return { config: configOf(member) };
      case 'replSetReconfig':
        return this.#reconfigure(member, command);
      case 'replSetStepDown':
        return this.#stepDown(member, command);
      case 'replSetFreeze':
        if (member.state === 'PRIMARY')
          throw new Refusal(95, 'NotSecondary', 'cannot freeze node when primary or running for election');
        member.electableAt = Date.now() + Number(command['replSetFreeze']) * 1000;
        return {};
      case 'find':
        return database === 'local' && command['find'] === 'oplog.rs' ? oplogOf(member, command) : undefined;
      default:
        return undefined;
    }
  }

  wrote(member: Member, raw: Buffer): void {
    member.log.push({ optime: this.#next(member.log.at(-1)?.optime.term ?? 1), raw });
  }

  #next(term: number): Optime {
    const seconds = Math.max(Math.floor(Date.now() / 1000), this.#stamp.seconds);
    const ordinal = seconds === this.#stamp.seconds ? this.#stamp.ordinal + 1 : 1;
    return (this.#stamp = { seconds, ordinal, term });
  }

  #hello(member: Member): Document {
    const { config, state, name } = member;
    const primary = this.#primarySeenBy(member)?.name;
    const data = state === 'PRIMARY' || state === 'SECONDARY';
    return {
      ...{
        isWritablePrimary: state === 'PRIMARY',
        ismaster: state === 'PRIMARY',
        secondary: state === 'SECONDARY',
      },
      ...(config && data
        ? {
            ...{ setName: this.name, setVersion: config.version, me: name },
            hosts: config.members.map(({ host }) => host),
            ...(primary === undefined ? {} : { primary }),
          }
        : { isreplicaset: true }),
      ...{ maxBsonObjectSize: 16_777_216, maxMessageSizeBytes: 48_000_000, maxWriteBatchSize: 100_000 },
      ...{ localTime: new Date(), helloOk: true, minWireVersion: 0, maxWireVersion: 21, readOnly: false },
    };
  }

  #status(member: Member): Document {
    const config = configOf(member);
    return {
      ...{ set: this.name, date: new Date(), term: member.applied?.term ?? -1 },
      members: config.members.map(({ _id, host }) => {
        const other = this.#at(host);
        const self = other === member;
        if (!other || (!self && !member.sees(other)))
          return {
            ...{ _id, name: host, health: 0, state: 8, stateStr: '(not reachable/healthy)' },
            ...{ optime: { ts: timestampOf({ seconds: 0, ordinal: 0, term: -1 }), t: -1 } },
            lastHeartbeatMessage: 'Error connecting to the member :: caused by :: Connection refused',
          };
        const source = other.state === 'SECONDARY' ? this.#primarySeenBy(other)?.name : undefined;
        const optime = other.applied ?? { seconds: 0, ordinal: 0, term: -1 };
        return {
          ...{ _id, name: host, health: 1, stateStr: other.state, syncSourceHost: source ?? '' },
          ...{
            optime: { ts: timestampOf(optime), t: optime.term },
            optimeDate: new Date(optime.seconds * 1000),
          },
          ...(self ? { self: true } : {}),
        };
      }),
    };
  }

  async #reconfigure(member: Member, command: Document): Promise<Document> {
    const force = command['force'] === true;
    const old = configOf(member);
    if (!force && member.state !== 'PRIMARY')
      throw new Refusal(
        10_107,
        'NotWritablePrimary',
        `Safe reconfig is only allowed on a writable PRIMARY. Current state ${member.state}`,
      );
    const wanted = command['replSetReconfig'] as ReplConfig;
    const members = wanted.members.map((each) => ({ ...DEFAULTS, ...each }));
    const version = force ? Math.max(old.version, wanted.version) + 10_000 : wanted.version;
    const next: ReplConfig = { ...wanted, members, version, term: force ? -1 : (member.applied?.term ?? 1) };
    requireValid(next);
    requireSuccessor(old, next, force);
    const self = next.members.find(({ host }) => host === member.name);
    if (!self)
      throw new Refusal(74, 'NodeNotFound', `No host described in new configuration maps to this node`);
    if (!force) {
      if (self.priority === 0)
        throw new Refusal(108, 'NodeNotElectable', 'This node is not electable under the new configuration');
      this.#requireQuorum(member, next);
      if (this.#having(member, old) < majorityOf(old))
        throw new Refusal(
          308,
          'CurrentConfigNotCommittedYet',
          'Cannot run replSetReconfig: the current config is not committed',
        );
    }
    member.config = next;
    const deadline = Date.now() + Number(command['maxTimeMS'] ?? 60_000);
    while (!force && this.#having(member, next) < majorityOf(next)) {
      if (Date.now() > deadline) throw new Refusal(50, 'MaxTimeMSExpired', 'operation exceeded time limit');
      await sleep(TICK_MS);
    }
    return {};
  }

  #requireQuorum(member: Member, next: ReplConfig): void {
    const answering = votersOf(next).filter(({ host }) => host === member.name || this.#sees(member, host));
    if (answering.length < majorityOf(next))
      throw new Refusal(
        74,
        'NodeNotFound',
        `Quorum check failed because not enough voting nodes responded; required ${majorityOf(next)} but only the following ${answering.length} voting nodes responded: ${answering.map(({ host }) => host).join(', ')}`,
      );
  }

  /** Voters that have this configuration, or a newer one. */
  #having(member: Member, config: ReplConfig): number {
    return votersOf(config).filter(({ host }) => {
      const other = this.#at(host);
      if (!other || (other !== member && !member.sees(other))) return false;
      return other.config !== undefined && !isNewer(config, other.config);
    }).length;
  }

  async #stepDown(member: Member, command: Document): Promise<Document> {
    if (member.state !== 'PRIMARY')
      throw new Refusal(10_107, 'NotWritablePrimary', "not primary so can't step down");
    const seconds = Number(command['replSetStepDown']);
    const catchUp = Number(command['secondaryCatchUpPeriodSecs'] ?? 10);
    if (seconds <= catchUp)
      throw new Refusal(2, 'BadValue', 'stepdown period must be longer than secondaryCatchUpPeriodSecs');
    member.holdsWrites = true;
    try {
      const deadline = Date.now() + catchUp * 1000;
      while (!this.#hasHeir(member)) {
        if (Date.now() > deadline)
          throw new Refusal(
            262,
            'ExceededTimeLimit',
            `No electable secondaries caught up as of ${new Date().toISOString()}`,
          );
        await sleep(TICK_MS);
      }
      member.state = 'SECONDARY';
      member.electableAt = Date.now() + seconds * 1000;
      return {};
    } finally {
      member.holdsWrites = false;
    }
  }

  #hasHeir(member: Member): boolean {
    const config = configOf(member);
    const level = votersOf(config)
      .map(({ host }) => this.#at(host))
      .filter((other) => other && (other === member || member.sees(other)) && sameOptime(other, member));
    return (
      level.length >= majorityOf(config) &&
      level.some((other) => other !== member && other!.state === 'SECONDARY' && weightOf(other!, config) > 0)
    );
  }

  async #run(): Promise<void> {
    while (!this.#over) {
      for (const member of this.members) await this.#beat(member);
      this.#elect();
      await sleep(TICK_MS);
    }
  }

  async #beat(member: Member): Promise<void> {
    if (!member.up) return;
    for (const other of this.members.filter((each) => each !== member && member.sees(each))) {
      const { config } = other;
      if (!config) continue;
      const knows = config.members.some(({ host }) => host === member.name);
      const known = member.config?.members.some(({ host }) => host === other.name) ?? false;
      if (!knows && !known) continue;
      if (member.config ? isNewer(config, member.config) && sameSet(config, member.config) : knows) {
        member.config = config;
        if (!knows) member.state = 'REMOVED';
        else if (member.state === 'STARTUP')
          member.state = member.log.length === 0 ? 'STARTUP2' : 'SECONDARY';
        else if (member.state === 'REMOVED') member.state = 'SECONDARY';
      }
    }
    if (member.state === 'PRIMARY' && !this.#hasMajority(member)) member.state = 'SECONDARY';
    const source = this.#primarySeenBy(member);
    if (!source || source === member || member.paused || member.state === 'REMOVED') return;
    const common = commonLength(member, source);
    if (common < member.log.length) {
      member.state = 'ROLLBACK';
      await member.rollBackTo(common);
    }
    for (const entry of source.log.slice(member.log.length)) await member.apply(entry);
    if (member.state === 'STARTUP2' || member.state === 'ROLLBACK') member.state = 'SECONDARY';
  }

  #elect(): void {
    for (const member of this.members) {
      const key = member.name;
      const primary = this.#primarySeenBy(member);
      const wins = this.#wouldWin(member);
      const better =
        primary &&
        primary !== member &&
        member.config &&
        weightOf(member, member.config) > weightOf(primary, member.config);
      if (!wins || (primary && !better)) {
        this.#since.delete(key);
        continue;
      }
      const since = this.#since.get(key) ?? Date.now();
      this.#since.set(key, since);
      if (Date.now() - since < (primary ? TAKEOVER_AFTER_MS : ELECTION_AFTER_MS)) continue;
      if (primary) primary.state = 'SECONDARY';
      member.state = 'PRIMARY';
      const term = Math.max(...this.members.map(({ applied }) => applied?.term ?? 0)) + 1;
      member.log.push({ optime: this.#next(term) });
      return;
    }
  }

  #wouldWin(member: Member): boolean {
    const { config, state } = member;
    if (!config || state !== 'SECONDARY' || Date.now() < member.electableAt) return false;
    if (weightOf(member, config) === 0) return false;
    const votes = votersOf(config).filter(({ host }) => {
      const other = this.#at(host);
      if (!other || (other !== member && !member.sees(other))) return false;
      return other.config !== undefined && !isNewer(other.config, config) && !isAhead(other, member);
    });
    return votes.length >= majorityOf(config);
  }

  #hasMajority(member: Member): boolean {
    const config = configOf(member);
    return (
      votersOf(config).filter(({ host }) => host === member.name || this.#sees(member, host)).length >=
      majorityOf(config)
    );
  }

  #primarySeenBy(member: Member): Member | undefined {
    return this.members.find(
      (other) =>
        other.state === 'PRIMARY' &&
        (other === member || member.sees(other)) &&
        (member.config?.members.some(({ host }) => host === other.name) ?? false),
    );
  }

  #at(host: string): Member | undefined {
    return this.members.find(({ name }) => name === host);
  }

  #sees(member: Member, host: string): boolean {
    const other = this.#at(host);
    return other !== undefined && member.sees(other);
  }
}

const DEFAULTS = { votes: 1, priority: 1, arbiterOnly: false, buildIndexes: true, hidden: false, tags: {} };

function configOf({ config }: Member): ReplConfig {
  if (config) return config;
  throw new Refusal(94, 'NotYetInitialized', 'no replset config has been received');
}

/** A forced one has no term, and then the versions alone count. */
function isNewer(one: ReplConfig, other: ReplConfig): boolean {
  if (one.term === -1 || other.term === -1 || one.term === other.term) return one.version > other.version;
  return one.term > other.term;
}

const sameSet = (one: ReplConfig, other: ReplConfig): boolean => replicaSetId(one) === replicaSetId(other);

const weightOf = ({ name }: Member, { members }: ReplConfig): number =>
  members.find(({ host }) => host === name)?.priority ?? 0;

const NOTHING: Optime = { seconds: 0, ordinal: 0, term: -1 };

const isAhead = (one: Member, other: Member): boolean =>
  compareOptimes(one.applied ?? NOTHING, other.applied ?? NOTHING) > 0;

const sameOptime = (one: Member | undefined, other: Member): boolean =>
  compareOptimes(one?.applied ?? NOTHING, other.applied ?? NOTHING) === 0;

function commonLength(one: Member, other: Member): number {
  const differs = one.log.findIndex(({ optime }, index) => other.log[index]?.optime !== optime);
  return differs === -1 ? one.log.length : differs;
}

function oplogOf({ log }: Member, command: Document): Document {
  const ts = (command['filter'] as { ts?: Timestamp }).ts;
  const found = log.filter(({ optime }) => ts !== undefined && timestampOf(optime).equals(ts));
  const firstBatch = found.map(({ optime }) => ({ ts: timestampOf(optime), t: optime.term }));
  return { cursor: { firstBatch, id: Long.ZERO, ns: 'local.oplog.rs' } };
}
