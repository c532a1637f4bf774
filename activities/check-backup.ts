import { join } from 'node:path';
import { newestRun } from '../adapters/backup/runs.ts';
import { DrError } from '../domain/errors.ts';
import type { Manifest } from '../domain/manifest.ts';
import { snapshotText } from '../domain/snapshot-text.ts';
import { composed } from '../domain/snapshot.ts';
import type { BackupConfig, Site } from '../domain/config.ts';
import type { CheckBackupResult, ForecastAnswer, RecoverPlan } from '../domain/plan.ts';
import type { RunRecord, SetSummary } from '../domain/run.ts';
import { logProblem } from './check-log.ts';
import { checkSet } from './check-set.ts';
import { chooseSet } from './choose-set.ts';
import { chooseSnapshots, manifestsOf, summariesOf } from './choose-snapshots.ts';
import { attestationOf, emptyCache, type Asking } from './copies.ts';
import { requireMethod } from './database/choose.ts';
import { forecast } from './forecast.ts';
import { guarded, type Call, type Deps } from './guard.ts';
import { setOf, type Where } from './open-set.ts';
import { plannedPoints } from './planned-points.ts';
import { proof } from './proofs.ts';
import { asActivity } from './to-failure.ts';

/** Everything about the backup that can be refused is refused here, before the first effect of the run. */

export function createCheckBackupActivities(deps: Deps) {
  return {
    'check-backup': guarded(deps, 'probe', checkBackup),
    'forecast-recovery': (plan: RecoverPlan) => forecastRecovery(deps, plan),
  };
}

/** What `recover` prints before it starts; it judges nothing, `check-backup` does. */
function forecastRecovery(deps: Deps, plan: RecoverPlan): Promise<ForecastAnswer> {
  return asActivity(async () => {
    const deployment = deps.deployment(plan.deployment);
    const asking: Asking = {
      deployment,
      name: plan.deployment,
      cache: join(deployment.sites[plan.to]!.stateDir, 'from-copies-forecast'),
      secret: (reference) => deps.secret(reference),
    };
    const signed = await chooseSet(asking, plan);
    const { used } = await chooseSnapshots(asking, plan, signed, async () => undefined);
    const { set, site, createdAt } = signed.manifest;
    const verified = (await attestationOf(asking, signed)) !== undefined;
    await emptyCache(asking);
    const whole = composed(signed.manifest, manifestsOf(used));
    return {
      ...{ set, site, createdAt, verified },
      snapshots: summariesOf(used),
      points: await plannedPoints({ deployment, plan, set: signed.manifest, used }),
      forecast: forecast(plan, whole, await earlierRun(deployment.backup, plan)),
    };
  });
}

/** A recovery of the same kind on the same target that reached its end: its figures are the best forecast. */
function earlierRun(config: BackupConfig, plan: RecoverPlan): Promise<RunRecord | undefined> {
  return newestRun(
    config,
    plan.deployment,
    ({ outcome, to, component, drill, runbook }) =>
      runbook !== 'failover' &&
      (outcome === 'RECOVERED' || outcome === 'RECOVERED_WITH_EXCEPTIONS') &&
      to === plan.to &&
      component === plan.component &&
      drill?.component === plan.drill?.component,
  );
}

async function checkBackup(call: Call): Promise<CheckBackupResult> {
  const { deployment, input } = call;
  const { plan } = input;
  const notes: string[] = [];
  const where: Where = { ...setOf(call), note: (text) => void notes.push(text) };
  await emptyCache(where);
  const signed = await chooseSet(where, plan);
  const { manifest } = signed;
  const { set } = manifest;
  requireBefore(call, manifest);
  const attestation = await attestationOf(where, signed);
  const { database, doubts, walGap, copied } = await checkSet(call, manifest, databaseOf(call, manifest));
  if (walGap !== undefined && plan.point.kind === 'archive-end')
    throw new DrError('OBJECT_MISSING', { object: `WAL segment ${walGap}, after it,`, set });
  const { used, passedOver } = await chooseSnapshots(where, plan, signed, async ({ located }) => {
    requireBefore(call, located.manifest);
    notes.push(...(await checkSet(call, located.manifest, undefined)).copied);
  });
  const whole = composed(manifest, manifestsOf(used));
  const snapshots = summariesOf(used);
  const parts = [manifest, ...Object.values(manifestsOf(used))].flatMap(({ objects }) => objects);
  const summary: SetSummary = {
    set,
    site: manifest.site,
    createdAt: manifest.createdAt,
    verified: attestation !== undefined,
    bytes: parts.reduce((sum, { cipher }) => sum + cipher.bytes, 0),
    ...(whole.redis ? { redisKeys: whole.redis.keys } : {}),
    ...(manifest.database ? { databaseBytes: manifest.database.databaseBytes } : {}),
    versions: whole.versions,
    snapshots,
  };
  const logged = await logProblem(call, manifestsOf(used).redis ?? manifest);
  const exceptions = [
    ...(doubts.length > 0 ? [`the database repository is damaged: ${doubts.join('; ')}`] : []),
    ...passedOver,
    ...(logged === undefined ? [] : [logged]),
  ];
  return {
    summary: [
      `${set} of ${manifest.site}, ${attestation ? 'verified by a restore' : 'not verified by a restore'}`,
      ...snapshots.map(snapshotText),
      ...notes,
      ...copied,
    ].join('; '),
    set: summary,
    points: await plannedPoints({
      ...{ deployment, plan, set: manifest, used },
      withoutLog: logged !== undefined,
    }),
    forecast: forecast(plan, whole, await earlierRun(deployment.backup, plan)),
    proofs: [
      proof('the manifest is signed by a trusted key', true, 'valid signature', 'valid signature'),
      proof('every object opens with its digest', true, parts.length, parts.length),
      ...database,
    ],
    ...(exceptions.length > 0 ? { exception: exceptions.join('; ') } : {}),
  };
}

/** @throws DrError NO_BACKUP for a set or a snapshot that was named, and that the damage may be in */
function requireBefore({ deployment, input }: Call, { set, createdAt }: Manifest): void {
  const { deployment: name, backupBefore } = input.plan;
  if (backupBefore === undefined || createdAt < backupBefore) return;
  throw new DrError('NO_BACKUP', {
    deployment: name,
    repository: deployment.backup.repository,
    reason: `${set} was taken at ${createdAt}, after the damage of ${backupBefore}`,
  });
}

/** Undefined where the plan does not restore it. */
function databaseOf({ input, target }: Call, manifest: Manifest): Site['database'] {
  if (!manifest.database || !input.plan.steps.includes('restore-database-data')) return undefined;
  requireMethod(target.database!, manifest, input.plan.to);
  return target.database;
}
