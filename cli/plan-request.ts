import type { Command } from 'commander';
import { RECOVERABLE, SCENARIOS, type Recoverable, type Scenario } from '../domain/run.ts';
import type { RecoverRequest } from '../runbooks/shape.ts';
import { backupArgument, choice, nameArgument, refArgument, timeArgument } from './arguments.ts';

/** What may be asked of a recovery. `plan` and `recover` share it, so that the same words make the same plan. */

export interface PlanOptions {
  readonly to: string;
  readonly from?: string;
  readonly backup: string;
  readonly snapshots: boolean;
  readonly configRef?: string;
  readonly component?: Recoverable;
  readonly scenario: Scenario;
  readonly occurred?: string;
  readonly toTime?: string;
  readonly inPlace?: boolean;
  readonly onFailure: 'ask' | 'abort';
}

export function withPlanOptions(command: Command): Command {
  return withCommonOptions(
    command.requiredOption('--to <site>', 'the site to recover on', nameArgument('--to')),
  );
}

/** All but the target, which not every command must be told. */
export function withCommonOptions(command: Command): Command {
  return command
    .option(
      '--from <site>',
      'the site that failed; may be left out where there are two',
      nameArgument('--from'),
    )
    .option(
      '--backup <set>',
      'a backup set, or latest; a snapshot: its set with this snapshot alone',
      backupArgument('--backup'),
      'latest',
    )
    .option(
      '--no-snapshots',
      'the set alone, without the snapshots of Redis and configuration that belong to it',
    )
    .option(
      '--config-ref <ref>',
      'configuration from the git repository: a tag, a commit or a set',
      refArgument('--config-ref'),
    )
    .option('--component <component>', 'only this component, in place', choice('--component', RECOVERABLE))
    .option(
      '--scenario <scenario>',
      'what happened; it changes the plan',
      choice('--scenario', SCENARIOS),
      'infrastructure',
    )
    .option(
      '--occurred <time>',
      'when the disaster began (the RTO counts from here)',
      timeArgument('--occurred'),
    )
    .option('--to-time <time>', 'recover the database to just before this moment', timeArgument('--to-time'))
    .option('--in-place', 'rebuild the failed site where it stands; overwrites its data')
    .option(
      '--on-failure <what>',
      'ask a person, or abort (for machines)',
      choice('--on-failure', ['ask', 'abort']),
      'ask',
    );
}

export function requestOf(options: PlanOptions): RecoverRequest {
  const { to, from, backup, snapshots, component, scenario, occurred, toTime, inPlace, onFailure } = options;
  return {
    ...{ to, backup, snapshots, scenario, onFailure },
    ...(from === undefined ? {} : { from }),
    ...(component === undefined ? {} : { component }),
    ...(occurred === undefined ? {} : { occurredAt: occurred }),
    ...(toTime === undefined ? {} : { toTime }),
    inPlace: inPlace ?? false,
  };
}
