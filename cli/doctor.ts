import { randomBytes } from 'node:crypto';
import type { Command } from 'commander';
import { configDigest } from '../adapters/config/digest.ts';
import { buildText, sameBuild, type Build } from '../domain/build.ts';
import { CHECKS, doubtful, fine, wrong, type Examination, type Finding } from '../domain/doctor.ts';
import { DrError } from '../domain/errors.ts';
import { judge } from '../domain/judge.ts';
import { WORKFLOW_QUEUE } from '../domain/messages.ts';
import { doctorText } from '../report/doctor.ts';
import { everyWorker } from '../runbooks/workers.ts';
import type { doctor } from '../workflows/index.ts';
import { nameArgument } from './arguments.ts';
import { drillsAsDue } from './doctor-drills.ts';
import { BRIEF_TASK_TIMEOUT_MS, deploymentOf, requireWorkers, withDoor, type Door } from './client.ts';
import { exitUnlessGood } from './exit.ts';
import { scheduleChanges } from './schedule-changes.ts';
import { shapeOf } from '../runbooks/shape-of.ts';
import { BUILD } from './version.ts';

/** `tyk-dr doctor`: everything that a recovery will need, checked now. */

export function registerDoctor(program: Command, config: () => string | undefined): void {
  program
    .command('doctor')
    .description('Check now everything that a recovery will need; exits 3 where something is wrong')
    .argument('[deployment]', 'as named under deployments:; default all', nameArgument('DEPLOYMENT'))
    .option('--json', 'as JSON')
    .action(async (name: string | undefined, { json }: { json?: boolean }) =>
      withDoor(config(), async (door) => {
        const names = name === undefined ? Object.keys(door.config.deployments) : [name];
        const all = await Promise.all(
          names.map(async (deployment) => ({ deployment, findings: await findingsOf(door, deployment) })),
        );
        const text = json
          ? JSON.stringify({ version: 1, deployments: all }, undefined, 2)
          : all.map(({ deployment, findings }) => doctorText(deployment, findings)).join('\n\n');
        process.stdout.write(`${text}\n`);
        exitUnlessGood(all.every(({ findings }) => findings.every(({ severity }) => severity !== 'error')));
      }),
    );
}

async function findingsOf(door: Door, name: string): Promise<Finding[]> {
  const deployment = deploymentOf(door.config, name);
  const shape = shapeOf(name, deployment);
  const { hosts, silent, builds } = await hostsThatAnswer(door, name);
  const examination: Examination =
    hosts.length === 0
      ? { reports: [], figures: [], silent: [] }
      : await door.client.workflow.execute<typeof doctor>('doctor', {
          workflowId: `doctor/${name}/${randomBytes(4).toString('hex')}`,
          taskQueue: WORKFLOW_QUEUE,
          args: [{ deployment: name, rpoMs: shape.objectives.rpoMs, hosts }],
          workflowExecutionTimeout: DEADLINE_MS,
          workflowTaskTimeout: BRIEF_TASK_TIMEOUT_MS,
          staticSummary: `Could ${name} be recovered?`,
        });
  const all = { ...examination, silent: [...silent, ...examination.silent] };
  return [
    ...judge(all, Object.keys(deployment.sites), shape.objectives.rpoMs),
    ...buildsAreOne(builds),
    ...(await schedulesAsDeclared(door, name)),
    ...(await drillsAsDue(door, name)),
  ];
}

/** A run is replayed by whichever worker takes its next task: with other code it may stop there. */
function buildsAreOne(builds: Hosts['builds']): Finding[] {
  if (builds.size === 0) return [];
  const differing = [...builds].filter(([, build]) => build === undefined || !sameBuild(build, BUILD));
  if (differing.length === 0)
    return [fine('builds', 'deployment', `every worker and this command: ${buildText(BUILD)}`)];
  const text = [...builds].map(([worker, build]) => `${worker} ${build ? buildText(build) : 'an older one'}`);
  return [doubtful('builds', 'deployment', `${text.join('; ')}; this command ${buildText(BUILD)}`)];
}

/** Nothing where there are none and none are wanted. */
async function schedulesAsDeclared(door: Door, name: string): Promise<Finding[]> {
  const changes = await scheduleChanges(door, name).catch((error: unknown) => {
    if (error instanceof DrError) return error;
    throw error;
  });
  if (changes instanceof DrError) return [wrong('schedules', 'deployment', changes.message, changes.hint)];
  const differing = changes.filter(({ action }) => action !== 'keep');
  if (differing.length > 0) {
    const text = differing.map(
      ({ kind, action, differences }) => `${action} ${kind} (${differences.join('; ')})`,
    );
    return [wrong('schedules', 'deployment', `tyk-dr schedule apply would ${text.join(', ')}`)];
  }
  const paused = changes.filter((change) => change.paused).map(({ kind }) => kind);
  if (paused.length > 0) return [doubtful('schedules', 'deployment', `paused: ${paused.join(', ')}`)];
  const kinds = changes.map(({ kind }) => kind).join(', ');
  return kinds === '' ? [] : [fine('schedules', 'deployment', `${kinds} are as declared`)];
}

const DEADLINE_MS = 30_000;

interface Hosts {
  readonly hosts: { readonly site: string; readonly worker: string }[];
  readonly silent: Finding[];
  /** What each worker that answered was built from. */
  readonly builds: ReadonlyMap<string, Build | undefined>;
}

/** Asked first, for without any worker there is nobody to run the workflow. */
export async function hostsThatAnswer(door: Door, name: string): Promise<Hosts> {
  const deployment = deploymentOf(door.config, name);
  const digest = configDigest(deployment);
  const all = Object.entries(shapeOf(name, deployment).sites).flatMap(([site, shape]) =>
    everyWorker(shape).map((worker) => ({ site, worker })),
  );
  const builds = new Map<string, Build | undefined>();
  const answers = await Promise.all(
    all.map(async (host): Promise<{ host?: typeof host; silent?: Finding }> => {
      try {
        const [answer] = await requireWorkers(door, name, digest, [host.worker]);
        builds.set(host.worker, answer?.build);
        return { host };
      } catch (error) {
        if (!(error instanceof DrError) || error.code === 'TEMPORAL_UNREACHABLE') throw error;
        // One with another configuration or a wrong clock still sees its host.
        const there = error.code === 'CLOCK_SKEW' ? { host } : {};
        return {
          ...there,
          silent: wrong('worker', host.site, error.message, `${CHECKS.worker.hint} ${error.hint}`),
        };
      }
    }),
  );
  return {
    hosts: answers.flatMap(({ host }) => host ?? []),
    silent: answers.flatMap(({ silent }) => silent ?? []),
    builds,
  };
}
