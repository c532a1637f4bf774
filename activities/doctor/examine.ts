import { Context } from '@temporalio/activity';
import {
  wrong,
  type CheckId,
  type ExamineInput,
  type Finding,
  type HostReport,
} from '../../domain/doctor.ts';
import { DrError } from '../../domain/errors.ts';
import { newestUsable, readManifest } from '../../adapters/backup/repository.ts';
import type { Deps } from '../guard.ts';
import { liveState } from '../live.ts';
import { asActivity } from '../to-failure.ts';
import { treePrintsOf } from './drift.ts';
import { checkCertificates, checkLicence } from './expiry.ts';
import type { Check, Host } from './host.ts';
import { checkKeyFiles, checkKeys, checkSecrets, fingerprintsOf, keptKeys, recipientOf } from './keys.ts';
import { checkArchiving, checkChecksums, checkStores } from './live-stores.ts';
import { checkOplog } from './oplog.ts';
import { checkNetwork, checkPermissions } from './places.ts';
import { checkDecryption, checkRepository, checkSpace } from './sets.ts';
import { checkRunbook } from './runbook.ts';
import { checkReplication } from './replication.ts';
import { checkRedisSettings } from './redis-settings.ts';
import { checkSentinels } from './sentinels.ts';
import { checkTools, versionsOf } from './tools.ts';
import { checkTraffic } from './traffic.ts';

/** One host, examined: everything that a recovery will need of it. Looks only; changes nothing. */

/** Each stands alone: what one cannot find out says nothing about the others. */
const LOCAL_CHECKS: Readonly<Partial<Record<CheckId, Check>>> = {
  tools: checkTools,
  secrets: checkSecrets,
  'key-files': checkKeyFiles,
  keys: checkKeys,
  decryption: checkDecryption,
  repository: checkRepository,
  runbook: checkRunbook,
  space: checkSpace,
  permissions: checkPermissions,
  stores: checkStores,
  'redis-settings': checkRedisSettings,
  oplog: checkOplog,
  replication: checkReplication,
  sentinels: checkSentinels,
  archiving: checkArchiving,
  checksums: checkChecksums,
  licence: checkLicence,
  certificates: checkCertificates,
  network: checkNetwork,
  traffic: checkTraffic,
};

export function createDoctorActivities(deps: Deps) {
  return { 'examine-host': (input: ExamineInput) => asActivity(() => examine(deps, input)) };
}

async function examine(
  deps: Deps,
  { deployment: name, site: siteName, nonce }: ExamineInput,
): Promise<HostReport> {
  const deployment = deps.deployment(name);
  const site = deployment.sites[siteName]!;
  const where = site.worker === deps.worker ? siteName : `${siteName} (worker ${deps.worker})`;
  const state = await liveState(deps.worker, siteName, site).catch(() => ({ live: false }));
  const host: Host = {
    worker: deps.worker,
    deploymentName: name,
    deployment,
    siteName,
    site,
    where,
    live: state.live,
    nonce,
    signal: Context.current().cancellationSignal,
    secret: (reference) => deps.secret(reference),
  };
  const [findings, fingerprints, keys, versions, recipient, newestSet, trees] = await Promise.all([
    Promise.all(
      Object.entries(LOCAL_CHECKS).map(([id, check]) => within(id as CheckId, where, () => check(host))),
    ),
    orElse([], fingerprintsOf(host)),
    orElse([], keptKeys(host)),
    orElse([], versionsOf(host)),
    recipientOf(host),
    orElse(undefined, newest(host)),
    orElse([], treePrintsOf(host)),
  ]);
  return {
    site: siteName,
    worker: deps.worker,
    findings: findings.flat(),
    fingerprints,
    keys,
    versions,
    ...(trees.length > 0 ? { trees } : {}),
    ...(recipient === undefined ? {} : { recipient }),
    ...(newestSet === undefined ? {} : { newestSet }),
  };
}

/** A doctor who must answer within seconds does not wait for a server that hangs. */
const CHECK_TIMEOUT_MS = 7_000;

async function within(
  id: CheckId,
  where: string,
  check: () => Promise<readonly Finding[]>,
): Promise<readonly Finding[]> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Finding[]>((resolve) => {
    timer = setTimeout(
      () => resolve([wrong(id, where, `could not be found out within ${CHECK_TIMEOUT_MS / 1000} s`)]),
      CHECK_TIMEOUT_MS,
    );
  });
  try {
    return await Promise.race([check(), late]);
  } catch (error) {
    if (error instanceof DrError) return [wrong(id, where, error.message, error.hint)];
    return [
      wrong(id, where, `could not be found out: ${error instanceof Error ? error.message : String(error)}`),
    ];
  } finally {
    clearTimeout(timer);
  }
}

/** The check of the same matter says why it could not be found out. */
async function orElse<T>(fallback: T, work: Promise<T>): Promise<T> {
  return work.catch(() => fallback);
}

async function newest({ deployment, deploymentName }: Host): Promise<HostReport['newestSet']> {
  const set = await newestUsable(deployment.backup, deploymentName);
  if (set === undefined) return undefined;
  const { manifest } = await readManifest(deployment.backup, deploymentName, set);
  return { set, versions: manifest.versions };
}
