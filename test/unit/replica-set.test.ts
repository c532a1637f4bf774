import { Long, Timestamp } from 'mongodb';
import { describe, expect, test } from 'vitest';
import { parseConfig, parseStatus } from '../../adapters/mongodb/replica-set.ts';
import {
  bearsLossOf,
  compareOptimes,
  lowered,
  memberAt,
  nextOfPromotion,
  optimeText,
  parseOptime,
  patienceMs,
  raised,
  settled,
  withoutStandby,
  withStandby,
  type SetConfig,
  type SetMember,
  type SetStatus,
} from '../../domain/replica-set.ts';

/** What becomes of a replica set, on documents in the shape of MongoDB's manual. Nothing here is proven on a genuine mongod. */

const [P, D, A] = ['mongo.london:27017', 'mongo.paris:27017', 'arbiter.rome:27017'];

const member = (_id: number, host: string, votes: number, priority: number, more = {}): SetMember => ({
  ...{ _id, host, arbiterOnly: false, buildIndexes: true, hidden: false, priority, tags: {}, votes },
  ...{ secondaryDelaySecs: 0, ...more },
});

const config = (...members: SetMember[]): SetConfig => ({
  ...{
    _id: 'rs0',
    version: 7,
    term: 3,
    members,
    protocolVersion: 1,
    writeConcernMajorityJournalDefault: true,
  },
  settings: { electionTimeoutMillis: 10_000, replicaSetId: 'an id' },
});

const TWO = config(member(0, P, 1, 1), member(1, D, 0, 0));
const WITH_ARBITER = config(
  member(0, P, 1, 10),
  member(1, D, 1, 5),
  member(2, A, 1, 0, { arbiterOnly: true }),
);

const weights = (of: SetConfig): Record<string, string> =>
  Object.fromEntries(of.members.map(({ host, votes, priority }) => [host, `${votes}/${priority}`]));

/** All configurations on the way, each checked as a server checks it. */
function walk(from: SetConfig, change: (config: SetConfig) => SetConfig | undefined): SetConfig[] {
  const steps: SetConfig[] = [];
  for (let now = from; ;) {
    const next = change(now);
    if (!next) return steps;
    requireLegal(now, next);
    steps.push((now = next));
  }
}

/** validateSingleNodeChange and the rules for votes and priorities. */
function requireLegal(before: SetConfig, after: SetConfig): void {
  const voters = ({ members }: SetConfig) => members.filter(({ votes }) => votes > 0).map(({ _id }) => _id);
  const differ = [
    ...voters(before).filter((id) => !voters(after).includes(id)),
    ...voters(after).filter((id) => !voters(before).includes(id)),
  ];
  expect(differ.length, JSON.stringify(weights(after))).toBeLessThanOrEqual(1);
  expect(voters(after).length).toBeGreaterThan(0);
  for (const { votes, priority } of after.members) expect(votes > 0 || priority === 0).toBe(true);
}

describe('the answers of a server', () => {
  test('a status, as the manual shows it', () => {
    const status = parseStatus({
      ...{ set: 'rs0', date: new Date(), myState: 2, term: Long.fromNumber(4), syncSourceHost: P },
      members: [
        {
          ...{ _id: 0, name: P, health: 1, state: 1, stateStr: 'PRIMARY', uptime: 61 },
          optime: { ts: new Timestamp({ t: 1_575_585_453, i: 2 }), t: Long.fromNumber(4) },
          ...{ syncSourceHost: '', lastHeartbeatMessage: '', infoMessage: '' },
        },
        {
          ...{ _id: 1, name: D, health: 1, state: 2, stateStr: 'SECONDARY', self: true, syncSourceHost: P },
          optime: { ts: new Timestamp({ t: 1_575_585_451, i: 1 }), t: Long.fromNumber(4) },
        },
        {
          ...{ _id: 2, name: A, health: 0, state: 8, stateStr: '(not reachable/healthy)' },
          ...{
            optime: { ts: new Timestamp({ t: 0, i: 0 }), t: -1 },
            lastHeartbeatMessage: 'Connection refused',
          },
        },
      ],
    });
    expect(status).toEqual({
      set: 'rs0',
      term: 4,
      members: [
        {
          ...{ host: P, state: 'PRIMARY', reachable: true, self: false },
          optime: { seconds: 1_575_585_453, ordinal: 2, term: 4 },
        },
        {
          ...{ host: D, state: 'SECONDARY', reachable: true, self: true, syncsFrom: P },
          optime: { seconds: 1_575_585_451, ordinal: 1, term: 4 },
        },
        {
          ...{ host: A, state: '(not reachable/healthy)', reachable: false, self: false },
          message: 'Connection refused',
        },
      ],
    });
  });

  test('a configuration keeps every field that is not ours', () => {
    const answer = { ...TWO, version: 7, newField: { of: 'a later version' } };
    expect(parseConfig(answer)).toEqual(answer);
  });

  test('optimes survive being written down, and the term counts first', () => {
    const optime = { seconds: 1_575_585_453, ordinal: 2, term: 4 };
    expect(parseOptime(optimeText(optime))).toEqual(optime);
    expect(compareOptimes({ ...optime, term: 5, seconds: 1 }, optime)).toBeGreaterThan(0);
    expect(compareOptimes({ ...optime, ordinal: 3 }, optime)).toBeGreaterThan(0);
    expect(() => parseOptime('0/3000148')).toThrow('no optime');
  });
});

describe('a standby', () => {
  test('becomes a member whose loss costs the source nothing, and which nobody elects', () => {
    const made = withStandby(config(member(4, P, 1, 1)), D)!;
    expect(memberAt(made, D)).toEqual({ _id: 5, host: D, votes: 0, priority: 0 });
    expect(bearsLossOf(made, D)).toBe(true);
    expect(withStandby(made, D)).toBeUndefined();
    expect(weights(withoutStandby(made, D)!)).toEqual({ [P]: '1/1' });
  });

  test('that a person has given a vote keeps it', () => {
    expect(withStandby(WITH_ARBITER, D)).toBeUndefined();
    expect(withoutStandby(WITH_ARBITER, D)).toBeUndefined();
  });
});

describe('handing over', () => {
  const handOver = (from: SetConfig, winner: string, loser: string): SetConfig => {
    const before = walk(from, (now) => raised(now, winner)).at(-1) ?? from;
    const top = before.members.reduce((best, each) => (each.priority > best.priority ? each : best));
    expect(top.host).toBe(winner);
    const after = settled(before, winner, loser)!;
    requireLegal(before, after);
    expect(settled(after, winner, loser)).toBeUndefined();
    return after;
  };

  test('exchanges the roles, one vote at a time, and leaves a majority without the old primary', () => {
    const there = handOver(TWO, D, P);
    expect(weights(there)).toEqual({ [P]: '0/0', [D]: '1/1' });
    expect(there.members.map(({ tags }) => tags)).toEqual([{}, {}]);
    expect(weights(handOver(there, P, D))).toEqual(weights(TWO));
  });

  test('keeps the weights that people gave, where the others are a majority', () => {
    const there = handOver(WITH_ARBITER, D, P);
    expect(weights(there)).toEqual({ [P]: '1/5', [D]: '1/10', [A]: '1/0' });
    expect(weights(handOver(there, P, D))).toEqual(weights(WITH_ARBITER));
  });

  test('takes the vote of the one that is stopped next, where the other could not stay primary without it', () => {
    expect(weights(handOver(config(member(0, P, 1, 2), member(1, D, 1, 1)), D, P))).toEqual({
      [P]: '0/0',
      [D]: '1/2',
    });
  });

  test('never makes a member electable that had no vote before: a set with an arbiter refuses that', () => {
    const psa = config(member(0, P, 1, 1), member(1, D, 0, 0), member(2, A, 1, 0, { arbiterOnly: true }));
    expect(walk(psa, (now) => raised(now, D)).map((each) => weights(each)[D])).toEqual(['1/0', '1/2']);
  });

  test.each([TWO, WITH_ARBITER])('can be taken back from every point', (start) => {
    const onTheWay = walk(start, (now) => raised(now, D));
    for (const half of [start, ...onTheWay])
      expect(weights(lowered(half, D) ?? half)).toEqual(weights(start));
    // It was elected, and nothing was settled when the undo came.
    const back = walk(onTheWay.at(-1)!, (now) => raised(now, P)).at(-1)!;
    expect(weights(settled(back, P, D)!)).toEqual(weights(start));
  });
});

describe('a promotion', () => {
  const TAKEOVER = { target: D, lost: P };
  const seen = (states: Record<string, string>): SetStatus => ({
    ...{ set: 'rs0', term: 3 },
    members: Object.entries(states).map(([host, state]) => ({
      ...{ host, state, self: host === D, reachable: state !== 'DOWN' },
    })),
  });
  const next = (of: SetConfig, states: Record<string, string>, waitedMs = 0) =>
    nextOfPromotion(of, seen(states), TAKEOVER, waitedMs);

  test('adopts what the set has elected', () => {
    expect(next(WITH_ARBITER, { [P]: 'DOWN', [D]: 'PRIMARY', [A]: 'ARBITER' })).toEqual({
      kind: 'is-primary',
    });
  });

  test('asks another primary, rather than forcing anything on it', () => {
    const three = config(member(0, P, 1, 3), member(1, D, 1, 1), member(2, 'mongo.rome:27017', 1, 2));
    expect(next(three, { [P]: 'DOWN', [D]: 'SECONDARY', 'mongo.rome:27017': 'PRIMARY' })).toEqual({
      ...{ kind: 'raise', through: 'mongo.rome:27017' },
    });
  });

  test('waits while the lost one may only seem to be the primary, and no longer', () => {
    const states = { [P]: 'PRIMARY', [D]: 'SECONDARY' };
    expect(next(TWO, states).kind).toBe('wait');
    expect(next(TWO, states, patienceMs(TWO))).toEqual({
      ...{ kind: 'refuse', why: `${P} is still PRIMARY, as ${D} sees it: it is not fenced` },
    });
  });

  test('lets a majority elect before it forces anything', () => {
    const states = { [P]: 'DOWN', [D]: 'SECONDARY', [A]: 'ARBITER' };
    expect(next(WITH_ARBITER, states).kind).toBe('wait');
    expect(next(WITH_ARBITER, states, patienceMs(WITH_ARBITER)).kind).toBe('force');
  });

  test('forces a configuration of the survivors where nobody could elect', () => {
    const forced = next(TWO, { [P]: 'DOWN', [D]: 'SECONDARY' });
    expect(forced.kind === 'force' && weights(forced.config)).toEqual({ [D]: '1/1' });
  });

  test('keeps out of the vote what it cannot see, and the lost one out of the set', () => {
    const five = config(
      ...[member(0, P, 1, 9), member(1, D, 0, 0), member(2, A, 1, 0, { arbiterOnly: true })],
      member(3, 'mongo.rome:27017', 1, 4),
    );
    const forced = next(five, { [P]: 'DOWN', [D]: 'SECONDARY', [A]: 'ARBITER', 'mongo.rome:27017': 'DOWN' });
    expect(forced.kind === 'force' && weights(forced.config)).toEqual({
      ...{ [D]: '1/1', [A]: '1/0', 'mongo.rome:27017': '0/0' },
    });
  });

  test('refuses where members out of sight could have elected one of theirs', () => {
    const own = ['b.london:27017', 'c.london:27017'];
    const three = config(
      ...[member(0, P, 1, 1), member(1, own[0]!, 1, 1), member(2, own[1]!, 1, 1)],
      member(3, D, 0, 0),
    );
    const states = { [P]: 'DOWN', [own[0]!]: 'DOWN', [own[1]!]: 'DOWN', [D]: 'SECONDARY' };
    expect(next(three, states, 60_000)).toEqual({
      kind: 'refuse',
      why: `${own.join(', ')} cannot be seen from ${D}, and could elect without ${P}: stop them, or let them be reached`,
    });
  });
});
