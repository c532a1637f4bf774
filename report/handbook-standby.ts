import { OUTCOME_CLASS, type RunRecord } from '../domain/run.ts';
import type { Deployment } from '../domain/config.ts';
import { findingText } from '../domain/doctor.ts';
import { formatBytes, formatDuration } from '../domain/duration.ts';
import { endOf } from '../domain/findings.ts';
import { replicates, type Strategy } from '../domain/strategy.ts';
import type { StandbySeen } from '../domain/watched.ts';
import { compileFailover } from '../runbooks/failover-plan.ts';
import { FAILOVER_STEPS } from '../runbooks/failover.ts';
import { REPLICATE_STEPS } from '../runbooks/replicate.ts';
import type { DeploymentShape } from '../runbooks/shape.ts';
import type { Step } from '../domain/step.ts';
import type { Section } from './document.ts';

/** What the handbook says of a deployment whose strategy replicates: where its standby is, and how the roles are exchanged. Pure. */

export interface StandbyFacts {
  readonly name: string;
  readonly deployment: Deployment;
  readonly shape: DeploymentShape;
  /** Oldest first. */
  readonly records: readonly RunRecord[];
  readonly standby?: StandbySeen;
}

/** None where nothing replicates. */
export function standbySections(facts: StandbyFacts): Section[] {
  if (!replicates(facts.deployment.strategy)) return [];
  return [standby(facts), exchange(facts), withoutTemporal(facts), ...tables(facts)];
}

/** The sites that may serve: not the one that is there for drills. */
const sitesOf = ({ sites, drill }: Deployment): string[] =>
  Object.keys(sites).filter((site) => site !== drill?.site);

const MEANS: Readonly<Record<Exclude<Strategy, 'backup-restore'>, string>> = {
  'pilot-light':
    'Redis and PostgreSQL of the standby follow those of the site that serves; its Dashboard, Gateways and Pump are installed and stopped.',
  'warm-standby':
    'Redis and PostgreSQL of the standby follow those of the site that serves; its Dashboard and Gateways run there as well, and serve nobody.',
  hot: 'Redis and PostgreSQL of the standby follow those of the site that serves; its Gateways serve their share of the clients, and only one site is written to.',
};

function standby(facts: StandbyFacts): Section {
  const { deployment, shape, standby: seen = { why: 'nobody has looked' } } = facts;
  const { strategy, replication } = deployment;
  const { database, gateways, share } = replication ?? {};
  return {
    title: 'Strategy, and the standby',
    text: [
      `Strategy ${strategy}: ${MEANS[strategy as keyof typeof MEANS]}`,
      rolesText(facts),
      'findings' in seen
        ? `Measured by the schedule watch at ${seen.at}:`
        : `How current the standby is was not measured for this page: ${seen.why}. tyk-dr backup status ${facts.name} measures it now.`,
    ],
    ...('findings' in seen ? { list: seen.findings.map((finding) => findingText(finding)) } : {}),
    table: {
      head: ['limit', 'value', 'what for'],
      rows: [
        [
          'lag',
          formatDuration(shape.maxLagMs ?? shape.objectives.rpoMs),
          'a standby that is further behind is not failed over to, unless somebody accepts the loss',
        ],
        ...(database
          ? [
              [
                'replication of PostgreSQL',
                database.mode,
                'synchronous: where the standby is away, writes stand still',
              ],
              [
                'WAL that is kept',
                formatBytes(database.keepBytes),
                'for a standby that is away; one that needs more is copied anew',
              ],
            ]
          : []),
        ...(strategy === 'warm-standby'
          ? [
              [
                'Gateways of the standby',
                gateways === undefined ? 'all' : String(gateways),
                'run before a failover',
              ],
            ]
          : []),
        ...(strategy === 'hot' ? [['share of the standby', `${share} %`, 'of the clients']] : []),
      ],
    },
  };
}

/** As the runs have left it; only a look at the sites themselves knows better. */
function rolesText({ deployment, records, name }: StandbyFacts): string {
  const sites = sitesOf(deployment);
  const last = records.findLast(
    ({ outcome, component, drill }) =>
      component === undefined &&
      drill === undefined &&
      outcome !== undefined &&
      ['recovered', 'exceptions'].includes(OUTCOME_CLASS[outcome]),
  );
  const look = `tyk-dr status ${name} and tyk-dr doctor ${name} look now.`;
  if (!last)
    return `Sites that may serve: ${sites.join(', ')}. No run of tyk-dr has set their roles: ${look}`;
  const { run, from, to, runbook } = last;
  const said =
    runbook === 'replicate' ? `${from} serves, and ${to} follows it` : `${to} serves, and ${from} does not`;
  return `As ${run} has left it at ${endOf(last)}: ${said}. ${look}`;
}

function exchange({ name, deployment, shape }: StandbyFacts): Section {
  const approvals = new Set(shape.approvals?.map(({ step }) => step));
  const waits = (FAILOVER_STEPS as readonly Step[]).filter(({ id }) => approvals.has(id)).map(({ id }) => id);
  return {
    title: 'To fail over, and back',
    text: [
      'A standby repeats every damage of the data a moment later. Where data were damaged, recover from the backup instead (--scenario corruption or human-error): on the site of the standby that ends its following.',
      waits.length === 0
        ? 'No step of a failover waits for an approval. What the monitor proposes waits for one: who may approve stands below.'
        : `A failover waits for approvals before ${waits.join(', ')}: who may approve stands below. What the monitor proposes waits for one in any case.`,
    ],
    list: [
      ...sitesOf(deployment).flatMap((site) => [
        `To ${site}, the other site is lost: tyk-dr failover ${name} --to ${site} --forced --reason 'why'. It fences the other site first; where that is out of reach, somebody signs that it cannot write: tyk-dr confirm RUN --reason 'why'`,
        `To ${site}, the other site is there, nothing lost: tyk-dr failover ${name} --to ${site} --graceful --reason 'why'`,
        `Back to ${site}, the old site: tyk-dr failback ${name} --to ${site} --reason 'why'. It becomes a standby, becomes level, and takes over gracefully`,
        `${site} is to follow (again), the other site serves on: tyk-dr replicate ${name} --to ${site} --reason 'why'`,
      ]),
      'What each would do, step by step, without doing it: the same with --plan',
      'The standby is further behind than the limit, or nobody knows how far: refused with exit 10. --accept-loss takes it; or recover from the backup',
      `Where it is, and what it waits for: tyk-dr status ${name} --watch; a step that has failed for good: tyk-dr retry, skip, done or abort RUN`,
      `A region with several deployments is lost: tyk-dr failover --all --from SITE --forced --reason 'why'`,
    ],
  };
}

function withoutTemporal({ name, deployment }: StandbyFacts): Section {
  return {
    title: 'To fail over where Temporal, or the workers, are gone',
    text: [
      'The exported runbook has no script for a failover: its scripts recover a site from the backup, and lose what is newer than that. Where the standby is level, a failover by hand loses less.',
      `Temporal is gone and the hosts live: start another one (temporal server start-dev --db-filename FILE will do), and tyk-dr worker NAME on each host; then tyk-dr failover ${name} --forced as above. Where a run that was lost with it had taken command already, the new one says so and goes on from there.`,
      'Only the worker of the lost site is gone: the forced failover needs no worker there.',
      'By hand, in this order:',
    ],
    list: failoverByHand(name, deployment),
  };
}

/** The order of the runbook, with the programs of the stores alone. Was not run by us as a whole. */
export function failoverByHand(name: string, deployment: Deployment): string[] {
  const { traffic, sites } = deployment;
  return [
    'Fence: the old site must not write again. Stop its services, and lay the fence (a file fenced in its stateDir: its start commands refuse); out of reach, cut its power or its network, and let somebody sign for it',
    ...sitesOf(deployment).flatMap((site) => promotions(site, sites[site]!)),
    'Start Dashboard, Gateways and Pump of the standby by their start commands; GET /hello of each Gateway must say details.redis',
    `Prove: call APIs with a key that must work and with one that must not. Then lead the clients there (${traffic ? `traffic: ${traffic.kind}` : 'no traffic is declared'}), and call them once more from outside`,
    `Close: remove the mark of the standby (standby.json in its stateDir), so that the site counts as one that serves. PostgreSQL goes on archiving into the repository that its site had before: as soon as tyk-dr is there again, tyk-dr backup ${name}`,
  ];
}

function promotions(site: string, { redis, database }: Deployment['sites'][string]): string[] {
  return [
    ...(database?.kind === 'postgresql'
      ? [
          `Promote, where ${site} is the standby: SELECT pg_promote() in PostgreSQL at ${database.host}:${database.port}; SELECT pg_is_in_recovery() must say f`,
        ]
      : []),
    ...(redis
      ? [
          `Promote, where ${site} is the standby: REPLICAOF NO ONE, CONFIG SET replica-read-only yes and CONFIG REWRITE in Redis at ${redis.host}:${redis.port}; INFO replication must say role:master`,
        ]
      : []),
  ];
}

function tables({ deployment, shape }: StandbyFacts): Section[] {
  const [from, to] = sitesOf(deployment) as [string, string | undefined];
  const plans =
    to === undefined
      ? undefined
      : (['graceful', 'forced'] as const).map((mode) =>
          compileFailover(shape, { from, to, mode, onFailure: 'ask' }),
        );
  const part = (id: string): string => {
    if (!plans) return '';
    const [graceful, forced] = plans.map(({ steps }) => steps.includes(id));
    if (graceful && forced) return 'both';
    if (graceful) return 'graceful';
    return forced ? 'forced' : 'not here';
  };
  return [
    {
      title: 'Procedure: failover',
      text: [
        'Both modes of it, in the order of the runbook; steps that share their predecessors run at the same time.',
      ],
      table: {
        head: ['step', 'in', ...STEP_HEAD.slice(1)],
        rows: (FAILOVER_STEPS as readonly Step[]).map((step) => {
          const [id, ...rest] = stepRow(step);
          return [id!, part(step.id), ...rest];
        }),
      },
    },
    {
      title: 'Procedure: make a site the standby',
      text: ['The first part of a failback, and what follows a graceful failover.'],
      table: { head: STEP_HEAD, rows: (REPLICATE_STEPS as readonly Step[]).map(stepRow) },
    },
  ];
}

export const STEP_HEAD = ['step', 'after', 'what for', 'what proves it', 'where it fails for good'];

export function stepRow(step: Step): string[] {
  return [
    ...[step.id, step.after.join(', ') || 'nothing', step.purpose, step.proof],
    [
      'retry, abort',
      ...(step.skippable ? ['skip'] : []),
      ...(step.byHand === undefined ? [] : [`done by hand (${step.byHand} sees it)`]),
      ...(step.undo === undefined ? [] : ['undo']),
    ].join(', '),
  ];
}
