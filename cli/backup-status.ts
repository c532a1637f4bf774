import type { Command } from 'commander';
import { keptRunbook } from '../adapters/runbook/write.ts';
import { findSchedules, type FoundSchedule } from '../adapters/temporal/schedules.ts';
import { SCHEDULABLE, type ScheduleKind, type ScheduleName } from '../domain/schedules.ts';
import type { Finding } from '../domain/doctor.ts';
import { judgeReplication } from '../domain/judge-replication.ts';
import { STORES, type Store } from '../domain/figures.ts';
import { standings, storesOf, type Standing } from '../domain/standing.ts';
import { statusText } from '../report/standing.ts';
import { nameArgument } from './arguments.ts';
import { deploymentOf, withDoor, type Door } from './client.ts';
import { exitUnlessGood } from './exit.ts';
import { measureNow } from './measure.ts';
import { shapeOf } from '../runbooks/shape-of.ts';

/** `tyk-dr backup status`: what would be lost now, store by store, and whether it is more than it may be. */

export interface StoreStatus extends Standing {
  /** Of the next scheduled backup that holds the store. */
  readonly nextAt?: string;
}

export interface DeploymentStatus {
  readonly deployment: string;
  readonly stores: readonly StoreStatus[];
  /** What could not be measured, and why. */
  readonly problems: readonly string[];
  /** Who follows the site that serves, and how closely; absent where the strategy does not replicate. */
  readonly replication?: readonly Finding[];
  /** When the runbook for a lost Temporal was written beside the sets; absent where none is whole and signed there. */
  readonly runbookWrittenAt?: string;
}

export function registerBackupStatus(command: Command, config: () => string | undefined): void {
  command
    .command('status')
    .description(
      'What would be lost now, against the RPO, and who follows; exits 3 where it is too much, not measured, or nobody follows',
    )
    .argument('[deployment]', 'as named under deployments:; default all', nameArgument('DEPLOYMENT'))
    .option('--json', 'as JSON')
    .action(async (name: string | undefined, { json }: { json?: boolean }) =>
      withDoor(config(), async (door) => {
        const names = name === undefined ? Object.keys(door.config.deployments) : [name];
        const all = await Promise.all(names.map((deployment) => statusOf(door, deployment)));
        const text = json
          ? JSON.stringify({ version: 1, deployments: all }, undefined, 2)
          : all.map((each) => statusText(each, Date.now())).join('\n\n');
        process.stdout.write(`${text}\n`);
        exitUnlessGood(all.every(isWell));
      }),
    );
}

const isWell = ({ stores, replication = [] }: DeploymentStatus): boolean =>
  stores.every(({ state }) => state === 'in bounds') &&
  replication.every(({ severity }) => severity !== 'error');

async function statusOf(door: Door, name: string): Promise<DeploymentStatus> {
  const deployment = deploymentOf(door.config, name);
  const sites = Object.values(deployment.sites);
  const has: Readonly<Record<Store, boolean>> = {
    redis: sites.some((site) => site.redis),
    database: sites.some((site) => site.database),
    config: true,
  };
  const [figures, schedules] = await Promise.all([measureNow(door, name), findSchedules(door.client, name)]);
  const stores = STORES.filter((store) => has[store] || storesOf(figures).includes(store));
  const written = (await keptRunbook(deployment.backup, name))?.writtenAt;
  const { rpoMs } = shapeOf(name, deployment).objectives;
  const replication = judgeReplication(figures);
  return {
    deployment: name,
    ...(written === undefined ? {} : { runbookWrittenAt: written }),
    stores: standings(figures, stores, rpoMs).map((standing) => {
      const nextAt = nextOf(standing.store, schedules);
      return { ...standing, ...(nextAt === undefined ? {} : { nextAt }) };
    }),
    ...(replication.length === 0 ? {} : { replication }),
    problems: figures.flatMap(({ worker, problems }) => problems.map((problem) => `${worker}: ${problem}`)),
  };
}

function nextOf(store: Store, schedules: readonly FoundSchedule[]): string | undefined {
  const times = schedules.flatMap(({ kind, nextAt }) => {
    const covers: readonly Store[] = isBackup(kind) ? SCHEDULABLE[kind].covers : [];
    return covers.includes(store) ? (nextAt ?? []) : [];
  });
  return times.sort()[0];
}

const isBackup = (kind: ScheduleName): kind is ScheduleKind => kind in SCHEDULABLE;
