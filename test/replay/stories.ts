import type { Client, WorkflowHandle } from '@temporalio/client';
import { MONITOR_QUERY, type MonitorSummary, type ObserveInput } from '../../domain/monitor.ts';
import { startTurn } from '../../cli/fleet-start.ts';
import { fleetId, turnId } from '../../domain/fleet.ts';
import { WORKFLOW_QUEUE } from '../../domain/messages.ts';
import type { LaunchInput } from '../../domain/schedules.ts';
import { NOTICE_SIGNAL, OVER_SIGNAL } from '../../domain/tell.ts';
import {
  drillInput,
  failoverInput,
  FAST,
  fails,
  fakes,
  recoverInput,
  replicateInput,
  untilCancelled,
} from '../harness/recover-input.ts';
import { runbookOf } from '../../domain/failover.ts';
import type { RecoverInput } from '../../domain/plan.ts';
import { BACKUP_INPUT } from '../harness/backup-input.ts';
import { eventually } from '../harness/gateway.ts';
import { until } from '../harness/monitor-scene.ts';
import { DEAD, viewOf } from '../harness/monitor-views.ts';
import { fleetInput, ready } from '../harness/fleet.ts';
import { FULL_SHAPE } from '../harness/shape.ts';
import type { MonitorInput } from '../../runbooks/monitor-input.ts';

/**
 * What every runbook may go through, told by activities that answer as they are told. Recorded once a release by
 * `npm run record`; replayed against today's workflow code by every test run.
 */

type Activities = Readonly<Record<string, (...args: never[]) => Promise<unknown>>>;

export interface Story {
  /** The workflow's name and what happens to it: `recover-aborted`. */
  readonly name: string;
  readonly workflow: string;
  readonly workflowId: string;
  readonly args: readonly unknown[];
  readonly activities?: Activities;
  /** What is there before. */
  readonly before?: (client: Client) => Promise<unknown>;
  /** What people do meanwhile. */
  readonly meanwhile?: (handle: WorkflowHandle) => Promise<unknown>;
  /** It ends as a failed workflow. */
  readonly fails?: boolean;
}

const BACKUP = { ...BACKUP_INPUT, copies: ['elsewhere'] };

const LAUNCH: LaunchInput = {
  ...{ deployment: 'acme', kind: 'full', sites: BACKUP.sites, rpoMs: 300_000, priority: 1 },
  ...{ verify: true, remindMs: 1_000 },
};

const part = { summary: 'done', objects: [] };

const STANDBY = { site: 'dr', all: ['dr'] };

const PRODUCERS: Activities = {
  'answer-ping': () =>
    Promise.resolve({
      worker: 'primary',
      digest: BACKUP.configDigest,
      version: '1',
      now: new Date().toISOString(),
    }),
  'find-live-site': () => Promise.resolve({ summary: 'live', live: true }),
  'back-up-redis': () => Promise.resolve(part),
  'back-up-config': () => Promise.resolve(part),
  'back-up-database': () => Promise.resolve(part),
  'seal-set': () => Promise.resolve({ summary: 'sealed', git: true }),
  'bring-files': () => Promise.resolve({ summary: 'brought', brought: ['gw1'] }),
  'verify-set': () => Promise.resolve({ summary: 'verified', git: true }),
  'copy-set': () => Promise.resolve({ summary: 'copied' }),
  'commit-config': () => Promise.resolve({ summary: 'committed' }),
  'test-keys': () => Promise.resolve({ summary: 'opened', tests: [], failed: 0 }),
  'prune-sets': () => Promise.resolve({ summary: 'pruned', verdicts: [], deleted: [] }),
  'ship-redis-aof': () => Promise.resolve({ summary: 'shipped' }),
  'send-notice': () => Promise.resolve({ sent: ['webhook'], failed: [] }),
  'rewrap-set': () => Promise.resolve({ summary: 'sealed anew', set: '20260101T000000Z-0002' }),
  'ship-wal': () => Promise.resolve({ summary: 'shipped', behind: [] }),
  'export-runbook': () => Promise.resolve({ summary: 'written' }),
  'export-evidence': () =>
    Promise.resolve({
      file: 'acme-000001.tar',
      sequence: 1,
      digest: 'a'.repeat(64),
      bytes: 1,
      members: 1,
      absent: [],
    }),
  'list-runs': () => Promise.resolve([]),
  'look-at-writers': () => Promise.resolve([]),
  'lower-fence': () => Promise.resolve('the fence is down'),
  'set-commits': () => Promise.resolve('commits wait for no standby'),
  'examine-host': () => Promise.resolve({ site: 'primary', worker: 'primary', findings: [] }),
  'measure-host': () =>
    Promise.resolve({
      ...{
        site: 'primary',
        worker: 'primary',
        measuredAt: new Date().toISOString(),
        points: [],
        problems: [],
      },
      ...{ live: true, serves: ['redis'], sets: [] },
    }),
  'forecast-recovery': () =>
    Promise.resolve({ set: 's', site: 'primary', forecast: { totalMs: 1, parts: [] } }),
  'resolve-config-ref': () => Promise.resolve('0123456789abcdef0123456789abcdef01234567'),
};

const NOTICE = {
  ...{ event: 'declared', severity: 'critical', deployment: 'acme', about: 'rec-test', lines: [] },
  ...{ title: 'acme is being recovered', at: '2026-01-01T00:00:00.000Z' },
};
const CHANNELS: Activities = {
  'route-notice': () => Promise.resolve({ targets: [{ channel: 'chat' }], people: [] }),
  'tell-channel': () => Promise.resolve(),
};
const approves = () => Promise.resolve({ summary: 'ann may', identity: 'asserted' });

const by = { actor: 'ann', reason: 'as agreed' };
const decides = (kind: string, step?: string) => async (handle: WorkflowHandle) =>
  eventually(() => handle.executeUpdate(kind, { args: [{ ...by, ...(step && { step }) }] }));

function recovery(
  name: string,
  activities: Activities,
  more: Partial<Story> & { request?: Parameters<typeof recoverInput>[0]; shape?: typeof FULL_SHAPE } = {},
): Story {
  const { request, shape, ...rest } = more;
  const input = recoverInput(request, shape ?? FULL_SHAPE);
  return {
    ...{ name: `recover-${name}`, workflow: 'recover', workflowId: `run/acme-${name}`, args: [input] },
    activities,
    ...rest,
  };
}

function rehearsal(
  name: string,
  activities: Activities,
  { request, ...rest }: Partial<Story> & { request?: Parameters<typeof drillInput>[0] } = {},
): Story {
  const input = drillInput(request);
  return {
    ...{ name: `drill-${name}`, workflow: 'drill', workflowId: `run/acme-drill-${name}`, args: [input] },
    activities,
    ...rest,
  };
}

function exchange(name: string, input: RecoverInput, more: Partial<Story> = {}): Story {
  const workflow = runbookOf(input.plan);
  return {
    ...{ name: `${workflow}-${name}`, workflow, workflowId: `run/acme-${workflow}-${name}`, args: [input] },
    activities: fakes().activities,
    ...more,
  };
}

/** What builds the copy of a simulation is proven, then the disaster shows, then the recovery is proven. */
function failsOnce(call: number, code: string): () => Promise<never> {
  const failing = fails(code);
  let calls = 0;
  return () => ((calls += 1) === call ? failing() : Promise.resolve(undefined as never));
}

const MARK = {
  ...drillInput(),
  step: 'list-target',
  epoch: 1,
  basisAt: '2026-01-01T00:00:00.000Z',
  set: 'SET',
};

const CALENDAR = {
  ...{ deployment: 'acme', sites: BACKUP.sites, priority: 1 },
  shape: { ...FULL_SHAPE, drill: { site: 'dr', limitMs: 600_000 } },
};

const MONITOR: MonitorInput = {
  settings: {
    ...{
      deployment: 'acme',
      actor: 'ann',
      reason: 'a test',
      onFailure: 'notify',
      observers: ['primary', 'dr'],
    },
    sites: [{ site: 'primary', workers: ['primary'] }],
    rules: {
      ...{ quorum: 2, failAfterMs: 1_500, recoverAfterMs: 300 },
      flapping: { changes: 9, withinMs: 60_000 },
    },
    ...{ intervalMs: 1_000, budgetPerDay: 1, rpoMs: 300_000, priority: 1 },
  },
  shape: FULL_SHAPE,
  memory: { heals: [], starts: [] },
};

const backups = (name: string, workflow: string, ...more: unknown[]): Story => ({
  ...{ name, workflow, workflowId: `replay/${name}`, args: [BACKUP, ...more] },
});

export const STORIES: readonly Story[] = [
  exchange('graceful', failoverInput()),
  exchange('forced', failoverInput({ mode: 'forced' }, { strategy: 'hot' })),
  exchange('hot', failoverInput({}, { strategy: 'hot' })),
  exchange('not-level', failoverInput(), {
    activities: fakes({ 'await-level': fails('REPLICA_NOT_LEVEL') }).activities,
    fails: true,
  }),
  exchange('pilot-light', replicateInput()),
  exchange('warm', replicateInput({}, { strategy: 'warm-standby' })),
  exchange('undone', replicateInput(), {
    activities: fakes({ 'follow-redis': fails('REPLICA_NOT_LEVEL') }).activities,
    fails: true,
  }),
  recovery('elsewhere', fakes().activities),
  recovery('in-place', fakes().activities, { request: { to: 'primary', inPlace: true } }),
  recovery('component', fakes().activities, { request: { to: 'primary', component: 'redis' } }),
  recovery('refused', fakes({ 'check-target': fails('PORT_TAKEN') }).activities, { fails: true }),
  recovery('retried', fakes({ 'start-redis': fails('SERVICE_FAILED', 1) }).activities, {
    meanwhile: decides('retry'),
  }),
  recovery('fence-asserted', fakes({ 'fence-source': fails('NOT_FENCED', 1) }).activities, {
    meanwhile: decides('confirm'),
  }),
  recovery('aborted', fakes({ 'start-dashboard': fails('SERVICE_FAILED') }).activities, {
    fails: true,
    meanwhile: async (handle) => {
      await eventually(() => handle.executeUpdate('retry', { args: [by] }));
      await decides('abort')(handle);
    },
  }),
  recovery('undone', fakes({ 'start-redis': fails('SERVICE_FAILED') }).activities, {
    fails: true,
    request: { onFailure: 'abort' },
  }),
  recovery(
    'stuck',
    fakes({ 'start-redis': fails('SERVICE_FAILED'), 'undo-switch': fails('TARGET_IS_ANOTHER') }).activities,
    { fails: true, request: { onFailure: 'abort' } },
  ),
  recovery('late', fakes({ 'start-redis': () => later(1_500) }).activities, {
    shape: { ...FULL_SHAPE, objectives: { rtoMs: 1_500, rpoMs: 1 } },
  }),
  recovery('skipped', fakes({ 'prove-analytics': fails('PROOF_FAILED', 1) }).activities, {
    meanwhile: decides('skip', 'prove-analytics'),
  }),
  // Not fast enough, and nobody has shown that it is secure: criteria are judged at the end.
  recovery(
    'judged',
    fakes({
      'measure-performance': () => Promise.resolve({ summary: 'slow', figures: { ...FAST, p95Ms: 9_000 } }),
      'prove-security': fails('PROOF_FAILED', 1),
    }).activities,
    { meanwhile: decides('skip', 'prove-security') },
  ),
  recovery('by-hand', fakes({ 'start-redis': fails('SERVICE_FAILED', 1) }).activities, {
    meanwhile: decides('done', 'start-redis'),
  }),
  recovery('undone-once', fakes({ 'restore-redis-data': fails('DISK_TOO_SMALL', 1) }).activities, {
    meanwhile: async (handle) => {
      await decides('undo', 'restore-redis-data')(handle);
      await decides('retry')(handle);
    },
  }),
  recovery('paused', fakes({ 'start-redis': () => later(1_000) }).activities, {
    meanwhile: async (handle) => {
      await decides('pause')(handle);
      await decides('resume')(handle);
    },
  }),
  recovery(
    'approved',
    { ...fakes().activities, 'check-approval': approves },
    {
      shape: {
        ...FULL_SHAPE,
        approvals: [
          { step: 'switch-traffic', count: 1, roles: [], timeoutMs: 600_000, onTimeout: 'escalate' },
        ],
      },
      meanwhile: decides('approve', 'switch-traffic'),
    },
  ),
  recovery('told', { ...fakes().activities, ...CHANNELS }, { shape: { ...FULL_SHAPE, notifies: true } }),
  rehearsal('full', fakes().activities),
  rehearsal('component', fakes().activities, { request: { type: 'component', component: 'redis' } }),
  rehearsal('red', fakes({ 'start-dashboard': fails('SERVICE_FAILED') }).activities, { fails: true }),
  rehearsal('simulation', fakes({ 'prove-redis': failsOnce(2, 'PROOF_FAILED') }).activities, {
    request: { type: 'simulation', scenario: 'corruption' },
  }),
  rehearsal(
    'planted',
    {
      ...fakes({ 'prove-redis': fails('PROOF_FAILED') }).activities,
      'plant-fault': () => Promise.resolve({ summary: 'Redis was emptied' }),
    },
    { request: { type: 'component', component: 'redis', plant: 'empty-redis' }, fails: true },
  ),
  rehearsal('halted', fakes({ 'watch-live': fails('DRILL_HALTED') }).activities, { fails: true }),
  {
    ...{ name: 'drill-cleanup', workflow: 'drillCleanup', workflowId: 'run/acme-cleanup' },
    args: [{ deployment: 'acme', site: 'dr', workers: ['dr'], configDigest: 'c'.repeat(64) }],
    activities: { ...fakes().activities, 'read-drill-mark': () => Promise.resolve(MARK) },
  },
  {
    ...{ name: 'launch-drill', workflow: 'launchDrill', workflowId: 'replay/launch-drill' },
    args: [{ ...CALENDAR, kind: 'component' }],
    activities: {
      ...fakes().activities,
      ...PRODUCERS,
      'prepare-drill': () =>
        Promise.resolve({
          ...{ then: 'run', scenario: 'infrastructure', component: 'redis', plant: false },
          ...{ participants: [], configDigest: 'c'.repeat(64) },
        }),
      'digest-plan': () => Promise.resolve('p'.repeat(64)),
    },
  },
  {
    ...{ name: 'launch-drill-left', workflow: 'launchDrill', workflowId: 'replay/launch-drill-left' },
    args: [{ ...CALENDAR, kind: 'full' }],
    activities: {
      ...PRODUCERS,
      ...CHANNELS,
      'prepare-drill': () => Promise.resolve({ then: 'leave', reason: 'ann has put it off' }),
    },
  },
  {
    ...{ name: 'launch-paper', workflow: 'launchPaper', workflowId: 'replay/launch-paper' },
    args: [{ ...CALENDAR, kind: 'review' }],
    activities: {
      ...PRODUCERS,
      ...CHANNELS,
      'write-paper': () => Promise.resolve({ files: ['review.html'], quarter: '2026-Q1' }),
    },
  },
  {
    ...{ name: 'read-standing', workflow: 'readStanding', workflowId: 'replay/read-standing' },
    args: [{ deployment: 'acme', workers: ['primary'] }],
    activities: { 'read-standing': () => Promise.resolve({}) },
  },
  {
    ...{ name: 'note-drill', workflow: 'noteDrill', workflowId: 'replay/note-drill' },
    args: [
      { deployment: 'acme', workers: ['primary'] },
      { kind: 'drill-skipped', drill: 'full', dueAt: '2026-01-01T00:00:00.000Z', reason: 'no', actor: 'ann' },
    ],
    activities: { 'note-drill': () => Promise.resolve() },
  },
  {
    ...{ name: 'tell', workflow: 'tell', workflowId: 'replay/tell', args: [{ workers: ['primary'] }] },
    activities: CHANNELS,
    meanwhile: async (handle: WorkflowHandle) => {
      await handle.signal(NOTICE_SIGNAL, { id: 'declared', notice: NOTICE });
      await handle.signal(OVER_SIGNAL);
    },
  },
  backups('backup', 'backup', true),
  {
    ...backups('backup-standby', 'backup', false),
    activities: {
      ...PRODUCERS,
      'seal-set': () => Promise.resolve({ summary: 'sealed', standbys: [STANDBY] }),
    },
  },
  backups('bring-files', 'bringFiles', [STANDBY]),
  backups('verify', 'verify'),
  backups('copy', 'copy'),
  backups('prune', 'prune', false),
  backups('ship-redis-aof', 'shipRedisAof'),
  backups('test-keys', 'testKeys'),
  backups('rewrap', 'rewrap', true),
  backups('ship-wal', 'shipWal'),
  {
    ...{ name: 'export-evidence', workflow: 'exportEvidence', workflowId: 'replay/export-evidence' },
    args: [{ deployment: 'acme', run: 'rec-20260101-000000-abcd', workers: ['primary'] }],
  },
  {
    ...{ name: 'read-runs', workflow: 'readRuns', workflowId: 'replay/read-runs' },
    args: [{ deployment: 'acme', workers: ['primary'] }],
  },
  {
    ...{ name: 'monitor', workflow: 'monitor', workflowId: 'replay/monitor' },
    args: [MONITOR],
    activities: {
      ...PRODUCERS,
      ...CHANNELS,
      'look-at-live': () =>
        Promise.resolve([{ site: 'primary', live: true, fenced: false, summary: 'runs' }]),
      // Real eyes answer with news only; these would answer what is known in a circle.
      'observe-site': async ({ forMs, known }: ObserveInput) => {
        if (forMs > 0 && known !== undefined) await untilCancelled();
        return viewOf('primary', DEAD);
      },
    },
    meanwhile: async (handle: WorkflowHandle) => {
      await until(
        () => handle.query<MonitorSummary>(MONITOR_QUERY),
        ({ acted }) => acted !== undefined,
      );
      await handle.executeUpdate('pause', { args: [{ ...by, forMs: 60_000 }] });
      await handle.executeUpdate('stop', { args: [by] });
    },
  },
  { name: 'launch', workflow: 'launch', workflowId: 'replay/launch', args: [LAUNCH] },
  { name: 'watch', workflow: 'watch', workflowId: 'replay/watch', args: [{ ...LAUNCH, kind: 'watch' }] },
  {
    ...{ name: 'launch-failed', workflow: 'launch', workflowId: 'replay/launch-failed', args: [LAUNCH] },
    activities: { ...PRODUCERS, 'back-up-redis': fails('DISK_TOO_SMALL') },
    fails: true,
  },
  {
    ...{ name: 'doctor', workflow: 'doctor', workflowId: 'replay/doctor' },
    args: [{ deployment: 'acme', rpoMs: 1, hosts: [{ site: 'primary', worker: 'primary' }] }],
  },
  {
    ...{ name: 'forecast', workflow: 'forecast', workflowId: 'replay/forecast' },
    args: [recoverInput().plan],
  },
  {
    ...{ name: 'measure', workflow: 'measure', workflowId: 'replay/measure' },
    args: [{ deployment: 'acme', rpoMs: 1, hosts: [{ site: 'primary', worker: 'primary' }] }],
  },
  {
    ...{ name: 'unfence', workflow: 'unfence', workflowId: 'replay/unfence' },
    args: [
      {
        ...{ deployment: 'acme', site: 'primary', workers: ['primary'], othersAreDown: false },
        others: [{ site: 'dr', workers: ['dr'] }],
      },
    ],
  },
  {
    ...{ name: 'commits', workflow: 'commits', workflowId: 'replay/commits' },
    args: [{ deployment: 'acme', from: 'primary', to: 'dr', workers: ['primary'], wait: false }],
  },
  {
    ...{ name: 'fence', workflow: 'fence', workflowId: 'replay/fence' },
    args: [{ ...recoverInput(), step: 'fence-source' }, 'primary'],
    activities: fakes().activities,
  },
  {
    ...{ name: 'fleet', workflow: 'fleet', workflowId: fleetId('replay-fleet') },
    args: [{ ...fleetInput('replay-fleet', { all: 1 }), coming: { 1: 1, 4: 1 } }],
    activities: fakes({ 'start-gateways': fails('SERVICE_FAILED', 1) }).activities,
    meanwhile: async ({ client }: WorkflowHandle) => {
      for (const tier of ['development', 'critical'] as const)
        await startTurn({ workflow: client }, 'replay-fleet', 'recover', ready(tier, tier), 'FAIL');
      // The critical one waits for a person, and lets the other past.
      await eventually(() => client.getHandle('run/critical').executeUpdate('retry', { args: [by] }));
    },
  },
  {
    ...{ name: 'turn', workflow: 'turn', workflowId: turnId('replay-turn', 'acme') },
    args: [{ fleet: fleetId('replay-turn'), runbook: 'recover', ...ready('acme', 'critical') }],
    activities: fakes().activities,
    before: (client: Client) =>
      client.workflow.start('fleet', {
        ...{ workflowId: fleetId('replay-turn'), taskQueue: WORKFLOW_QUEUE },
        args: [{ ...fleetInput('replay-turn'), coming: { 1: 1 } }],
      }),
  },
  { name: 'ping', workflow: 'ping', workflowId: 'replay/ping', args: ['primary', 'acme'] },
  {
    ...{ name: 'resolve-config-ref', workflow: 'resolveConfigRef', workflowId: 'replay/resolve-config-ref' },
    args: ['primary', 'acme', 'primary', 'main'],
  },
].map((story: Story) => ({ activities: PRODUCERS, ...story }));

async function later(ms: number): Promise<never> {
  await new Promise((resolve) => setTimeout(resolve, ms));
  return undefined as never;
}
