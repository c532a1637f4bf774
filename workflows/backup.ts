import { ActivityFailure, ApplicationFailure, setCurrentDetails, TimeoutFailure } from '@temporalio/workflow';
import type {
  BackupInput,
  BackupResult,
  BackupStepInput,
  LiveResult,
  ParentResult,
  PartResult,
  SealResult,
  SiteWorkers,
} from '../domain/backup.ts';
import { formatDuration } from '../domain/duration.ts';
import { workerQueue } from '../domain/messages.ts';
import type { StepResult } from '../domain/run.ts';
import { BACKUP_STEPS, type BackupStepId } from '../runbooks/backup.ts';
import { activityOf } from './activity-of.ts';
import { bringAfterwards } from './bring-afterwards.ts';
import { commitConfig, exportRunbook } from './commit-config.ts';
import { now } from './run-state.ts';

/** One backup set, or a snapshot of one store, made and proven. A step that fails for good fails the run: there is nothing to undo. */
export async function backup(input: BackupInput, verify: boolean): Promise<BackupResult> {
  const startedAt = now();
  const steps: BackupResult['steps'][number][] = [];
  const live = await liveSite(input);
  const { site } = live;

  const step = async <Result extends StepResult>(
    id: BackupStepId,
    worker: string,
    ...more: unknown[]
  ): Promise<Result> => {
    const begun = Date.now();
    const result = (await callStep(input, site, worker, id, ...more)) as Result;
    const durationMs = Date.now() - begun;
    steps.push({ id, durationMs, summary: result.summary });
    setCurrentDetails(details(input, site, steps));
    return { ...result, durationMs };
  };

  const { only } = input;
  const parent = only && (await step<ParentResult>('find-parent-set', live.database));
  const parts = await settleAll([
    ...(only ? [] : [step<PartResult>('back-up-database', live.database)]),
    ...(only === 'config' ? [] : [step<PartResult>('back-up-redis', live.redis)]),
    ...(only === 'redis' ? [] : live.all.map((worker) => step<PartResult>('back-up-config', worker))),
  ]);
  // The set's time is that of its end: nothing in it is later, so a set from before some damage is free of it.
  const sealed = await step<SealResult>('seal-set', live.database, parts, now(), parent?.belongsTo);
  const copies = input.copies ?? [];
  const copySet = () => step('copy-set', live.database);
  // Off-site at once, not after hours of verifying; what that has found out follows.
  const [offSite, proven] = await Promise.allSettled([
    copies.length > 0 ? copySet() : undefined,
    verify ? step('verify-set', live.database) : undefined,
  ]);
  if (proven.status === 'rejected') throw proven.reason;
  const commit = (): Promise<StepResult> => callStep(input, site, live.database, 'commit-config');
  const committed = sealed.git ? await commitConfig(live.database, commit) : undefined;
  if (committed) steps.push({ id: 'commit-config', ...committed });
  const exporting = (): Promise<StepResult> => callStep(input, site, live.database, 'export-runbook');
  const exported = sealed.runbook ? await exportRunbook(live.database, exporting) : undefined;
  if (exported) steps.push({ id: 'export-runbook', ...exported });
  const begunAt = Date.now();
  const standbys = sealed.standbys ?? [];
  const brought = standbys.length > 0 ? await bringAfterwards(input, standbys) : undefined;
  if (brought) {
    const { summary } = brought;
    steps.push({ id: 'bring-files', durationMs: Date.now() - begunAt, summary });
  }
  if (offSite.status === 'rejected') throw offSite.reason;
  if (verify && copies.length > 0) await copySet();

  const warnings = [committed?.warning, exported?.warning, ...(brought?.warnings ?? [])].filter(
    (warning) => warning !== undefined,
  );
  return {
    run: input.run,
    set: input.set,
    site,
    ...(parent ? { belongsTo: parent.belongsTo.set } : {}),
    verified: verify,
    copies,
    bytes: parts.flatMap((part) => part.objects).reduce((sum, object) => sum + object.cipher.bytes, 0),
    startedAt,
    endedAt: now(),
    steps,
    ...(warnings.length > 0 ? { warnings } : {}),
  };
}

export async function liveSite(input: BackupInput): Promise<SiteWorkers> {
  const found: SiteWorkers[] = [];
  for (const site of input.sites) if (await isLive(input, site)) found.push(site);
  if (found.length === 1) return found[0]!;
  const names = input.sites.map(({ site }) => site).join(', ');
  const problem =
    found.length === 0
      ? `no site of ${names} runs its stores`
      : `more than one site of ${names} runs its stores`;
  throw ApplicationFailure.nonRetryable(`${problem}; name one with --site`, 'NO_BACKUP');
}

/** Where every worker of the site says that its own stores run and nobody has fenced them. */
async function isLive(input: BackupInput, { site, all }: SiteWorkers): Promise<boolean> {
  const answers = await Promise.allSettled(
    all.map((worker) => callStep(input, site, worker, 'find-live-site') as Promise<LiveResult>),
  );
  for (const answer of answers) {
    if (answer.status === 'fulfilled') continue;
    // A site whose worker is away may be the one that was lost; the others can still be backed up.
    const error: unknown = answer.reason;
    const away = error instanceof ActivityFailure && error.cause instanceof TimeoutFailure;
    if (input.sites.length === 1 || !away) throw error;
  }
  return answers.every((answer) => answer.status === 'fulfilled' && answer.value.live);
}

export function callStep(
  input: BackupInput,
  site: string,
  worker: string,
  id: BackupStepId,
  ...more: unknown[]
): Promise<StepResult> {
  const row = BACKUP_STEPS.find((candidate) => candidate.id === id)!;
  const stepInput: BackupStepInput = {
    run: input.run,
    step: id,
    set: input.set,
    deployment: input.deployment,
    site,
    configDigest: input.configDigest,
    full: input.full,
    ...(input.copy === undefined ? {} : { copy: input.copy }),
    notAfter: new Date(Date.now() + QUEUE_PATIENCE_MS).toISOString(),
  };
  return activityOf(row, workerQueue(worker))(stepInput, ...more);
}

/** Longer than the queue time of any activity: a backup that begins late is still a backup. */
const QUEUE_PATIENCE_MS = 60_000;

async function settleAll<T>(branches: readonly Promise<T>[]): Promise<T[]> {
  const settled = await Promise.allSettled(branches);
  for (const branch of settled) if (branch.status === 'rejected') throw branch.reason;
  return settled.map((branch) => (branch as PromiseFulfilledResult<T>).value);
}

function details(input: BackupInput, site: string, steps: BackupResult['steps']): string {
  return [
    `${input.only ? 'Snapshot' : 'Set'} \`${input.set}\` of ${input.deployment}, site ${site}`,
    '',
    '| step | time | result |',
    '|---|---|---|',
    ...steps.map(
      (row) =>
        `| ${row.id} | ${formatDuration(row.durationMs)} | ${row.summary.replaceAll('|', '\\|').slice(0, 300)} |`,
    ),
  ].join('\n');
}
