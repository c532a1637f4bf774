import type { Command } from 'commander';
import { loadConfig } from '../adapters/config/load.ts';
import { formatDuration } from '../domain/duration.ts';
import type { RecoverPlan } from '../domain/plan.ts';
import { RECOVERABLE, SCENARIOS, type Recoverable, type Scenario } from '../domain/run.ts';
import { PHASE_BUDGETS, RECOVER_STEPS } from '../runbooks/recover.ts';
import { compilePlan } from '../runbooks/plan.ts';
import { choice, timeArgument } from './arguments.ts';
import { deploymentOf } from './client.ts';
import { shapeOf } from '../runbooks/shape-of.ts';

/** `tyk-dr plan`: the plan that recover would run, without running it. */

interface PlanOptions {
  readonly to: string;
  readonly from?: string;
  readonly backup: string;
  readonly component?: Recoverable;
  readonly scenario: Scenario;
  readonly occurred?: string;
  readonly toTime?: string;
  readonly inPlace?: boolean;
  readonly json?: boolean;
}

export function registerPlan(program: Command, config: () => string | undefined): void {
  program
    .command('plan')
    .description('Show what recover would do, step by step, without doing it')
    .argument('<deployment>', 'as named under deployments:')
    .requiredOption('--to <site>', 'the site to recover on')
    .option('--from <site>', 'the site that failed')
    .option('--backup <set>', 'a backup set, or latest', 'latest')
    .option('--component <component>', 'only this component, in place', choice('--component', RECOVERABLE))
    .option('--scenario <scenario>', 'what happened', choice('--scenario', SCENARIOS), 'infrastructure')
    .option('--occurred <time>', 'when the disaster began', timeArgument('--occurred'))
    .option('--to-time <time>', 'recover the database to just before this moment', timeArgument('--to-time'))
    .option('--in-place', 'rebuild the failed site where it stands')
    .option('--json', 'as JSON')
    .action(async (name: string, options: PlanOptions) => {
      const deployment = deploymentOf(await loadConfig(config()), name);
      const { occurred, inPlace, json, ...rest } = options;
      const plan = compilePlan(shapeOf(name, deployment), {
        ...rest,
        ...(occurred === undefined ? {} : { occurredAt: occurred }),
        inPlace: inPlace ?? false,
        onFailure: 'ask',
      });
      process.stdout.write(json ? `${JSON.stringify(plan, undefined, 2)}\n` : `${planText(plan)}\n`);
    });
}

function planText(plan: RecoverPlan): string {
  const included = RECOVER_STEPS.filter((step) => plan.steps.includes(step.id));
  const phases = [...new Set(included.map((step) => step.phase))];
  return [
    `Recover ${plan.component ?? plan.deployment} from ${plan.from} to ${plan.to}${plan.inPlace ? ' (in place)' : ''}, ${plan.scenario}`,
    `  tier ${plan.tier}, RTO ${formatDuration(plan.objectives.rtoMs)}, RPO ${formatDuration(plan.objectives.rpoMs)}; stores recover to ${pointText(plan)}`,
    ...phases.flatMap((phase) => [
      `  ${phase}, at most ${formatDuration(PHASE_BUDGETS[phase] * plan.objectives.rtoMs)}`,
      ...included
        .filter((step) => step.phase === phase)
        .map(
          (step) =>
            `    ${step.risk === 'mutate' ? '*' : ' '} ${step.id.padEnd(26)} on ${plan.workers[step.where].join(', ').padEnd(10)} ${step.purpose}`,
        ),
    ]),
    '  * changes something; Redis and database run at the same time',
  ].join('\n');
}

function pointText({ point, backup }: RecoverPlan): string {
  if (point.kind === 'archive-end') return 'the end of the archive';
  return point.kind === 'time' ? point.at : `exactly the backup set (${backup})`;
}
