import { join } from 'node:path';
import { newestRun } from '../adapters/backup/runs.ts';
import { DrError } from '../domain/errors.ts';
import type { Manifest } from '../domain/manifest.ts';
import type { BackupConfig, Site } from '../domain/config.ts';
import type { CheckBackupResult, ForecastAnswer, RecoverPlan } from '../domain/plan.ts';
import type { RunRecord, SetSummary } from '../domain/run.ts';
import { checkSet } from './check-set.ts';
import { chooseSet } from './choose-set.ts';
import { attestationOf, emptyCache, type Asking } from './copies.ts';
import { requireMethod } from './database/choose.ts';
import { forecast } from './forecast.ts';
import { guarded, type Call, type Deps } from './guard.ts';
import { setOf, type Where } from './open-set.ts';
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
    const { set, site, createdAt } = signed.manifest;
    const verified = (await attestationOf(asking, signed)) !== undefined;
    await emptyCache(asking);
    return {
      set,
      site,
      createdAt,
      verified,
      forecast: forecast(plan, signed.manifest, await earlierRun(deployment.backup, plan)),
    };
  });
}

/** A recovery of the same kind on the same target that reached its end: its figures are the best forecast. */
function earlierRun(config: BackupConfig, plan: RecoverPlan): Promise<RunRecord | undefined> {
  return newestRun(
    config,
    plan.deployment,
    ({ outcome, to, component }) =>
      (outcome === 'RECOVERED' || outcome === 'RECOVERED_WITH_EXCEPTIONS') &&
      to === plan.to &&
      component === plan.component,
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
  if (plan.backupBefore !== undefined && manifest.createdAt >= plan.backupBefore) {
    throw new DrError('NO_BACKUP', {
      deployment: plan.deployment,
      repository: deployment.backup.repository,
      reason: `${set} was taken at ${manifest.createdAt}, after the damage of ${plan.backupBefore}`,
    });
  }
  const attestation = await attestationOf(where, signed);
  const { database, doubts, walGap, copied } = await checkSet(call, manifest, databaseOf(call, manifest));
  if (walGap !== undefined && plan.point.kind === 'archive-end')
    throw new DrError('OBJECT_MISSING', { object: `WAL segment ${walGap}, after it,`, set });
  const summary: SetSummary = {
    set,
    site: manifest.site,
    createdAt: manifest.createdAt,
    verified: attestation !== undefined,
    bytes: manifest.objects.reduce((sum, object) => sum + object.cipher.bytes, 0),
    ...(manifest.redis ? { redisKeys: manifest.redis.keys } : {}),
    ...(manifest.database ? { databaseBytes: manifest.database.databaseBytes } : {}),
    versions: manifest.versions,
  };
  return {
    summary: [
      `${set} of ${manifest.site}, ${attestation ? 'verified by a restore' : 'not verified by a restore'}`,
      ...notes,
      ...copied,
    ].join('; '),
    set: summary,
    forecast: forecast(plan, manifest, await earlierRun(deployment.backup, plan)),
    proofs: [
      proof('the manifest is signed by a trusted key', true, 'valid signature', 'valid signature'),
      proof('every object opens with its digest', true, manifest.objects.length, manifest.objects.length),
      ...database,
    ],
    ...(doubts.length > 0 ? { exception: `the database repository is damaged: ${doubts.join('; ')}` } : {}),
  };
}

/** Undefined where the plan does not restore it. */
function databaseOf({ input, target }: Call, manifest: Manifest): Site['database'] {
  if (!manifest.database || !input.plan.steps.includes('restore-database-data')) return undefined;
  requireMethod(target.database!, manifest, input.plan.to);
  return target.database;
}
