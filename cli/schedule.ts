import type { Command } from 'commander';
import {
  createSchedule,
  factsOf,
  findSchedules,
  removeSchedule,
  updateSchedule,
  type FoundSchedule,
  type ScheduleFacts,
  type WantedSchedule,
} from '../adapters/temporal/schedules.ts';
import { rpoSums } from '../domain/config-check-schedules.ts';
import { formatDuration } from '../domain/duration.ts';
import { DrError } from '../domain/errors.ts';
import { TIER_DEFAULTS } from '../domain/objectives.ts';
import { arithmeticText, takesMs } from '../domain/rpo.ts';
import { SCHEDULE_KINDS, withWatch, type ScheduleKind } from '../domain/schedules.ts';
import { liveHosts } from '../domain/standing.ts';
import { siteWorkers } from './backup-run.ts';
import { deploymentOf, withDoor, type Door } from './client.ts';
import { measureNow } from './measure.ts';
import { shapeOf } from './shape.ts';

/** `tyk-dr schedule apply` and `schedule list`: what the configuration wants, and what Temporal has. */

export interface ScheduleChange {
  readonly kind: ScheduleKind;
  readonly action: 'create' | 'change' | 'remove' | 'keep';
  /** What differs: `when: every 5 min 00 s -> every 4 min 00 s`. */
  readonly differences: readonly string[];
}

export function registerSchedule(program: Command, config: () => string | undefined): void {
  const command = program.command('schedule').description('What is done without anybody asking');
  command
    .command('apply')
    .description('Bring the schedules of the configuration to Temporal; change only what differs')
    .argument('[deployment]', 'as named under deployments:; default all')
    .option('--dry-run', 'show the difference, change nothing')
    .option('--json', 'as JSON')
    .action(async (name: string | undefined, options: { dryRun?: boolean; json?: boolean }) =>
      withDoor(config(), async (door) => {
        const deployments = [];
        for (const deployment of namesOf(door, name)) {
          const sums = await requireRpo(door, deployment);
          const changes = await applySchedules(door, deployment, options.dryRun ?? false);
          deployments.push({ deployment, changes, rpo: sums });
        }
        const text = options.json
          ? JSON.stringify({ version: 1, dryRun: options.dryRun ?? false, deployments }, undefined, 2)
          : deployments
              .flatMap(({ deployment, changes, rpo }) => [
                ...changeLines(deployment, changes, options.dryRun ?? false),
                ...rpo.map((sum) => `  ${sum}`),
              ])
              .join('\n');
        process.stdout.write(`${text}\n`);
      }),
    );
  command
    .command('list')
    .description('Show the schedules that Temporal has, with their last and next run')
    .argument('[deployment]', 'as named under deployments:; default all')
    .option('--json', 'as JSON')
    .action(async (name: string | undefined, { json }: { json?: boolean }) =>
      withDoor(config(), async (door) => {
        const deployments = [];
        for (const deployment of namesOf(door, name))
          deployments.push({ deployment, schedules: await findSchedules(door.client, deployment) });
        const text = json
          ? JSON.stringify({ version: 1, deployments }, undefined, 2)
          : deployments.flatMap(({ deployment, schedules }) => listLines(deployment, schedules)).join('\n');
        process.stdout.write(`${text}\n`);
      }),
    );
}

function namesOf(door: Door, name: string | undefined): string[] {
  if (name === undefined) return Object.keys(door.config.deployments);
  deploymentOf(door.config, name);
  return [name];
}

/** With what was measured, where workers answer. @throws DrError RPO_MISSED with the sums */
async function requireRpo(door: Door, name: string): Promise<string[]> {
  const deployment = deploymentOf(door.config, name);
  if (!deployment.backup.schedules) return [];
  const figures = await measureNow(door, name);
  const takes = takesMs(figures.find(({ sets }) => sets)?.sets ?? []);
  const archive = liveHosts(figures).find((host) => host.archive)?.archive;
  const sums = rpoSums(deployment, {
    ...(takes === undefined ? {} : { takesMs: takes }),
    ...(archive && archive.timeoutMs > 0 ? { archiveTimeoutMs: archive.timeoutMs } : {}),
  });
  const missed = sums.filter(({ fits }) => !fits);
  if (missed.length > 0)
    throw new DrError('RPO_MISSED', { deployment: name, sums: missed.map(arithmeticText).join('\n  ') });
  return sums.map(arithmeticText);
}

/** Nobody is told where nothing is configured; the watch still looks. */
const REMIND_MS = 4 * 3_600_000;

export function wantedSchedules({ config }: Pick<Door, 'config'>, name: string): WantedSchedule[] {
  const deployment = deploymentOf(config, name);
  const { schedules } = deployment.backup;
  const sites = siteWorkers(name, deployment);
  const { rpoMs } = shapeOf(name, deployment).objectives;
  const remindMs = deployment.notify?.remindEvery ?? REMIND_MS;
  const wanted = withWatch(schedules);
  return SCHEDULE_KINDS.flatMap((kind) => {
    const schedule = wanted[kind];
    if (!schedule) return [];
    const { priority } = TIER_DEFAULTS[deployment.tier];
    const launch = {
      deployment: name,
      kind,
      sites,
      rpoMs,
      priority,
      verify: schedule.verify ?? false,
      remindMs,
    };
    return [{ deployment: name, kind, config: schedule, timezone: schedules?.timezone ?? 'UTC', launch }];
  });
}

/** @returns what differed; after it, unless it was a dry run, nothing does. */
export async function applySchedules(
  door: Pick<Door, 'client' | 'config'>,
  name: string,
  dryRun: boolean,
): Promise<ScheduleChange[]> {
  const found = await findSchedules(door.client, name);
  const wanted = wantedSchedules(door, name);
  const changes: ScheduleChange[] = [];
  for (const kind of SCHEDULE_KINDS) {
    const want = wanted.find((each) => each.kind === kind);
    const have = found.find((each) => each.kind === kind);
    if (want && !have) {
      changes.push({ kind, action: 'create', differences: [words(factsOf(want)).when] });
      if (!dryRun) await createSchedule(door.client, want);
    } else if (!want && have) {
      changes.push({ kind, action: 'remove', differences: [words(have.facts).when] });
      if (!dryRun) await removeSchedule(door.client, name, kind);
    } else if (want && have) {
      const differences = differencesOf(have.facts, factsOf(want));
      changes.push({ kind, action: differences.length > 0 ? 'change' : 'keep', differences });
      if (!dryRun && differences.length > 0) await updateSchedule(door.client, want);
    }
  }
  return changes;
}

function differencesOf(have: ScheduleFacts, want: ScheduleFacts): string[] {
  const [from, to] = [words(have), words(want)];
  return (Object.keys(want) as (keyof ScheduleFacts)[])
    .filter((name) => have[name] !== want[name])
    .map((name) => (name === 'starts' ? 'what it starts' : `${LABELS[name]}: ${from[name]} -> ${to[name]}`));
}

const LABELS: Readonly<Record<keyof ScheduleFacts, string>> = {
  when: 'when',
  jitterMs: 'jitter',
  catchUpMs: 'catch-up',
  overlap: 'overlap',
  timezone: 'time zone',
  starts: 'starts',
};

function words(facts: ScheduleFacts): Record<keyof ScheduleFacts, string> {
  return {
    ...facts,
    when: facts.when.replace(/(\d+) ms/g, (_, ms: string) => formatDuration(Number(ms))),
    jitterMs: formatDuration(facts.jitterMs),
    catchUpMs: formatDuration(facts.catchUpMs),
  };
}

const VERBS: Readonly<Record<ScheduleChange['action'], [done: string, planned: string]>> = {
  create: ['created', 'would create'],
  change: ['changed', 'would change'],
  remove: ['removed', 'would remove'],
  keep: ['unchanged', 'unchanged'],
};

function changeLines(deployment: string, changes: readonly ScheduleChange[], dryRun: boolean): string[] {
  if (changes.length === 0) return [`${deployment}: no schedules, in the configuration or in Temporal`];
  return [
    `${deployment}:`,
    ...changes.map(({ kind, action, differences }) =>
      `  ${VERBS[action][dryRun ? 1 : 0].padEnd(dryRun ? 12 : 9)}  ${kind.padEnd(11)}  ${differences.join('; ')}`.trimEnd(),
    ),
  ];
}

function listLines(deployment: string, schedules: readonly FoundSchedule[]): string[] {
  if (schedules.length === 0) return [`${deployment}: no schedules in Temporal`];
  return [
    `${deployment}:`,
    ...schedules.map(({ kind, facts, paused, nextAt, lastAt }) => {
      const next = paused ? 'PAUSED' : `next ${nextAt ?? 'never'}`;
      return `  ${kind.padEnd(11)}  ${words(facts).when.padEnd(24)}  ${next}; last ${lastAt ?? 'never'}`;
    }),
  ];
}
