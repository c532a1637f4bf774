import type { Deployment, Site } from '../../domain/config.ts';
import type { RecoverPlan } from '../../domain/plan.ts';
import { PHASES } from '../../domain/run.ts';
import type { Step } from '../../domain/step.ts';
import { RECOVER_STEPS } from '../../runbooks/recover.ts';
import { commands } from './commands.ts';
import { settings } from './settings.ts';
import { comment, word } from './words.ts';

/**
 * The recovery of one site as a bash script that needs neither Temporal nor Node: the steps of `runbooks/recover.ts`
 * by the same names in the same order, with the commands of the configuration in it. Pure.
 */

export interface ScriptInput {
  readonly name: string;
  readonly deployment: Deployment;
  /** The site that is recovered on. */
  readonly site: string;
  readonly version: string;
  readonly writtenAt: string;
  readonly configDigest: string;
  /** As tyk-dr would compile them, one for each site that may be given up; `from` this very site: in place. */
  readonly plans: readonly SitePlan[];
  readonly parts: ScriptParts;
}

export interface SitePlan {
  readonly from: string;
  readonly plan: RecoverPlan;
  readonly digest: string;
}

/** The texts of `parts/`, by file name. */
export type ScriptParts = Readonly<Record<PartName, string>>;

export const PART_NAMES = [
  ...[
    'engine.sh',
    'set.sh',
    'fetch.sh',
    'target.sh',
    'switch.sh',
    'redis.sh',
    'redis-files.sh',
    'redis-commands.sh',
  ],
  ...['postgres.sh', 'postgres-steps.sh', 'dump.sh', 'dump-steps.sh', 'database.sh'],
  ...['redis-keys.pl', 'by-hand.sh'],
  ...['traffic-haproxy.sh', 'traffic-dns.sh', 'traffic-command.sh', 'traffic.sh'],
  ...['config.sh', 'tyk.sh', 'verify.sh', 'close.sh', 'main.sh', 'rewrite.jq', 'leftovers.jq'],
] as const;
export type PartName = (typeof PART_NAMES)[number];

export function recoveryScript(input: ScriptInput): string {
  const { deployment, name, site: siteName, parts } = input;
  const site = deployment.sites[siteName]!;
  const used: PartName[] = [
    'engine.sh',
    'set.sh',
    'fetch.sh',
    'target.sh',
    'switch.sh',
    ...storeParts(site),
    'config.sh',
    'tyk.sh',
    'verify.sh',
    ...(deployment.traffic ? ([`traffic-${deployment.traffic.kind}.sh`, 'traffic.sh'] as const) : []),
    'close.sh',
    'main.sh',
  ];
  return [
    '#!/usr/bin/env bash',
    comment(
      `recover-${siteName}.sh: recovers ${name} on site ${siteName}, without tyk-dr, Temporal or Node.`,
    ),
    '#',
    comment(
      `Written by tyk-dr ${input.version} at ${input.writtenAt}. Changes are lost with the next export.`,
    ),
    comment(`How it is used:  bash recover-${siteName}.sh --help`),
    '# It reads from top to bottom: settings, the story, how the sites are driven, then each step by its name.',
    'set -euo pipefail',
    'shopt -s inherit_errexit',
    'export LC_ALL=C',
    'umask 022',
    '',
    ...settings(input),
    '',
    ...story(input),
    '',
    ...commands(deployment, siteName),
    ...(site.redis?.method === 'commands' ? heredoc('KEYS_TO_COMMANDS', parts['redis-keys.pl']) : []),
    ...heredoc('REWRITE', parts['rewrite.jq']),
    ...heredoc('LEFTOVERS', parts['leftovers.jq']),
    ...used
      .map((part) => parts[part].trimEnd())
      .join('\n\n')
      .split('\n'),
    '',
    'main "$@"',
    '',
  ].join('\n');
}

function storeParts({ redis, database }: Site): PartName[] {
  return [
    ...(redis ? (['redis.sh', `redis-${redis.method}.sh`] as const) : []),
    ...(database?.method === 'pgbackrest' ? (['postgres.sh', 'postgres-steps.sh'] as const) : []),
    ...(database?.method === 'dump' ? (['dump.sh', 'dump-steps.sh'] as const) : []),
    ...(database ? (['database.sh'] as const) : []),
  ];
}

/** The order of the steps. What a plan leaves out is said to the log, and why. */
function story({ plans, site }: ScriptInput): string[] {
  const inPlace = plans.find(({ from }) => from === site)?.plan;
  const elsewhere = plans.find(({ from }) => from !== site)?.plan;
  const lines = [comment('The recovery, in the order of Tyk’s disaster-recovery guide.'), 'recover() {'];
  for (const phase of PHASES) {
    lines.push(`  ${comment(phase)}`);
    for (const step of (RECOVER_STEPS as readonly Step[]).filter((each) => each.phase === phase)) {
      const run = `step ${step.risk} ${step.id} ${word(step.purpose)}`;
      const [here, away] = [why(inPlace, step.id), why(elsewhere, step.id)];
      if (here === away) lines.push(here === undefined ? `  ${run}` : `  left_out ${step.id} ${here}`);
      else {
        const branch = (reason: string | undefined): string =>
          reason === undefined ? run : `left_out ${step.id} ${reason}`;
        lines.push(
          '  if [ "$FROM" = "$TO" ]; then',
          `    ${branch(here)}`,
          '  else',
          `    ${branch(away)}`,
          '  fi',
        );
      }
    }
  }
  return [...lines, '}'];
}

/** Undefined where the step is part of the plan; of a plan that there is not, as if it had none. */
function why(plan: RecoverPlan | undefined, id: string): string | undefined {
  if (!plan) return 'deployment';
  return plan.leftOut[id];
}

function heredoc(variable: string, text: string): string[] {
  const end = `END_OF_${variable}`;
  return [`${variable}=$(`, `  cat <<'${end}'`, text.trimEnd(), end, ')', ''];
}
