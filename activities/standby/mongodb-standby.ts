import { chown, mkdir, readdir, rm, stat } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { exists } from '../../adapters/files/exists.ts';
import {
  observeSwitch,
  switchIn,
  switchPaths,
  writeLedger,
  type StepKey,
} from '../../adapters/files/switch-in.ts';
import { readFence } from '../../adapters/host/fence.ts';
import { readStandbyMark } from '../../adapters/host/standby-mark.ts';
import type { MongoEndpoint } from '../../adapters/mongodb/client.ts';
import {
  hello,
  mayBeElected,
  reconfigure,
  setConfig,
  setStatus,
  withMember,
  writeProbe,
  type Member,
} from '../../adapters/mongodb/replica-set.ts';
import { startService } from '../../adapters/service/service.ts';
import { formatDuration } from '../../domain/duration.ts';
import { DrError } from '../../domain/errors.ts';
import {
  isSurvivors,
  nextOfPromotion,
  NOT_PROVEN,
  patienceMs,
  primaryIn,
  raised,
  statusOf,
  type NextOfPromotion,
  type SetConfig,
} from '../../domain/replica-set.ts';
import type { StepResult } from '../../domain/run.ts';
import { awaitUntil } from '../await-until.ts';
import { mongoEndpoint, mongoOf } from '../database/mongodb.ts';
import { waitReady } from '../../adapters/mongodb/client.ts';
import type { Call } from '../guard.ts';
import { proof } from '../proofs.ts';
import { serviceOf } from '../site.ts';
import { whileRunning } from '../while-running.ts';
import { atMember, endpointAt, memberName, stateText } from './mongodb.ts';

/** MongoDB of a standby: the set gives it its data; started as a member that follows, and made the primary. */

/**
 * Data of the same set are kept: the server itself winds them back to what the primary has, and writes what only they had
 * into files. All others are laid aside, as a member with data of another set is not taken in.
 */
export async function copyMongo(call: Call): Promise<StepResult> {
  const { input, target } = call;
  const paths = switchPaths(mongoOf(target).dataDir!, input.run);
  const key: StepKey = { run: input.run, step: input.step, set: input.set ?? '' };
  const state = await observeSwitch(paths, key);
  const summary = 'laid aside what was there: the member copies everything from the set (initial sync)';
  if (state === 'absent') {
    const belongs = await ofTheSameSet(call);
    if (belongs !== undefined)
      return { summary: `its own data are kept, as ${belongs}: the server winds them back` };
    await rm(paths.stagingDir, { recursive: true, force: true });
    await mkdir(paths.stagingDir, { recursive: true, mode: 0o750 });
    await writeLedger(paths.stagingDir, key);
    const owner = await stat((await exists(paths.dataDir)) ? paths.dataDir : dirname(paths.dataDir));
    if (process.getuid?.() === 0) await chown(paths.stagingDir, owner.uid, owner.gid);
  }
  await switchIn(paths, key);
  return { summary, observed: state === 'done' };
}

/** The run that gave a site up by a failover, or made it a standby, had its member in the set. @returns why, for people */
async function ofTheSameSet({ target }: Call): Promise<string | undefined> {
  const mark = await readStandbyMark(target.stateDir);
  const fencedBy = (await readFence(target.stateDir)) ?? mark?.fencedBy;
  if (fencedBy !== undefined)
    return /\bfo-\S+/.test(fencedBy) ? `it was a member until ${fencedBy}` : undefined;
  return mark ? `it follows ${mark.of} since ${mark.run}` : undefined;
}

/** Within the limit of the step. */
const FOLLOW_TIMEOUT_MS = 50 * 60_000;

/**
 * A member that copies its data takes no user yet: the primary is asked how it does.
 *
 * @throws DrError REPLICA_NOT_LEVEL, SERVICE_FAILED
 */
export async function followMongo(call: Call): Promise<StepResult> {
  const { input, target, source, signal } = call;
  const name = memberName(target);
  const service = serviceOf(input.plan.to, target, 'database');
  const started = await startService(service, signal);
  return whileRunning(service, signal, async (either) => {
    let last = 'the primary does not know it';
    await awaitUntil(
      async () => {
        const member = statusOf(await atMember(call, source, setStatus), name);
        if (member)
          last = member.reachable ? stateText(member) : `not reached: ${member.message ?? 'no answer'}`;
        call.progress(last);
        return member?.reachable && member.state === 'SECONDARY' ? true : undefined;
      },
      {
        ...{ timeoutMs: FOLLOW_TIMEOUT_MS, everyMs: 200, signal: either },
        late: () => new DrError('REPLICA_NOT_LEVEL', { store: 'MongoDB', address: name, reason: last }),
      },
    );
    return {
      summary: `${started ? 'started' : 'ran already'}, SECONDARY in the replica set of ${input.plan.from}; ${NOT_PROVEN}`,
      observed: !started,
    };
  });
}

const START_TIMEOUT_MS = 60_000;
const LOOK_EVERY_MS = 100;

/** @throws DrError PROMOTION_FAILED, REPLICA_SET_REFUSES, MONGO_DENIED */
export async function promoteMongo(call: Call): Promise<StepResult> {
  const { input, target, signal } = call;
  const config = mongoOf(target);
  const started = await startService(serviceOf(input.plan.to, target, 'database'), signal);
  const startedAt = performance.now();
  const how = await becomePrimary(call);
  const took = how === 'was elected already' ? '' : ` after ${formatDuration(performance.now() - startedAt)}`;
  await withMember(await mongoEndpoint(config, call.secret), (member) =>
    writeProbe(member, config.name, input.run),
  );
  return {
    summary: `PRIMARY${took}: ${how}${started ? '; it had to be started' : ''}; ${NOT_PROVEN}`,
    observed: how === 'was elected already',
    proofs: [proof('it accepts writes', true, 'a write that a majority has', 'taken')],
  };
}

/**
 * Once the other site is fenced: also for a restore, which writes.
 *
 * @returns how it came about, for people. @throws DrError PROMOTION_FAILED, REPLICA_SET_REFUSES, MONGO_DENIED
 */
export async function becomePrimary(call: Call): Promise<string> {
  const { target, source, signal } = call;
  const endpoint = await mongoEndpoint(mongoOf(target), call.secret);
  await (await waitReady({ ...endpoint, replicaSet: undefined }, START_TIMEOUT_MS, signal)).close();
  return withMember(endpoint, (member) =>
    untilPrimary(call, member, endpoint, { target: memberName(target), lost: memberName(source) }),
  );
}

/** @returns how it came about, for people */
async function untilPrimary(
  { input, signal, progress }: Call,
  member: Member,
  endpoint: MongoEndpoint,
  takeover: Parameters<typeof nextOfPromotion>[2],
): Promise<string> {
  const startedAt = performance.now();
  const waited = (): number => performance.now() - startedAt;
  let how = 'was elected already';
  let askedAt: number | undefined;
  const failed = (reason: string): DrError =>
    new DrError('PROMOTION_FAILED', { store: 'MongoDB', site: input.plan.to, reason });
  for (;;) {
    signal.throwIfAborted();
    const config = await setConfig(member);
    const status = await setStatus(member);
    const next = nextOfPromotion(config, status, takeover, waited());
    if (next.kind === 'is-primary' && (await hello(member)).isPrimary) return how;
    if (next.kind === 'refuse') throw failed(next.why);
    if (askedAt !== undefined && waited() - askedAt > patienceMs(config))
      throw failed(`it was not elected: ${primaryIn(status)?.host ?? 'nobody'} is the primary`);
    if (next.kind === 'wait') {
      if (askedAt === undefined) how = 'the set elected it by itself';
      progress(next.why);
    } else if (next.kind !== 'is-primary') {
      askedAt ??= waited();
      if (next.kind === 'raise' || !isSurvivors(config, takeover))
        progress((how = await act(next, { member, endpoint, signal, before: config, ...takeover })));
    }
    await sleep(LOOK_EVERY_MS, undefined, { signal });
  }
}

interface Acting {
  readonly member: Member;
  readonly endpoint: MongoEndpoint;
  readonly signal: AbortSignal;
  readonly target: string;
  /** The configuration that was looked at. */
  readonly before: SetConfig;
}

/** @returns what was done, for people */
async function act(
  next: Extract<NextOfPromotion, { kind: 'force' | 'raise' }>,
  { member, endpoint, signal, target, before }: Acting,
): Promise<string> {
  if (next.kind === 'force') {
    const { config } = next;
    // One that has changed since is looked at again: somebody may have been elected.
    await reconfigure(member, ({ version }) => (version === before.version ? config : undefined), {
      ...{ force: true, signal },
    });
    return `no majority was left, so that a configuration of ${config.members.map(({ host }) => host).join(', ')} was forced`;
  }
  await mayBeElected(member);
  await withMember(endpointAt(endpoint, next.through), (primary) =>
    reconfigure(primary, (config) => raised(config, target), { signal }),
  );
  return `the set had elected ${next.through}, and was asked for this one`;
}

/** What the server has written aside as it wound its data back: by name, below the data folder. */
export async function rollbackFiles(dataDir: string, sinceMs: number): Promise<string[]> {
  const folder = join(dataDir, 'rollback');
  const all = await readdir(folder, { recursive: true, withFileTypes: true }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      throw error;
    },
  );
  const found: string[] = [];
  for (const entry of all) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile() && (await stat(path)).mtimeMs >= sinceMs) found.push(relative(dataDir, path));
  }
  return found.sort();
}
