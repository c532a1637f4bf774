import { createApprovalActivities } from './approvals.ts';
import { createBackupActivities } from './backup.ts';
import { createCheckBackupActivities } from './check-backup.ts';
import { createCheckOtherSitesActivities } from './check-other-sites.ts';
import { createCheckTargetActivities } from './check-target.ts';
import { createConfigRefActivities } from './config-ref.ts';
import { createCopyActivities } from './copy-set.ts';
import { createDashboardActivities } from './dashboard.ts';
import { createDashboardEditActivities } from './dashboard-edit.ts';
import { createDatabaseActivities } from './database.ts';
import { createDrillTargetActivities } from './drill-target.ts';
import { createInjectDisasterActivities } from './inject-disaster.ts';
import { createObserveLiveActivities } from './observe-live.ts';
import { createObserveActivities } from './observe-site.ts';
import { createWatchDrillActivities } from './watch-drill.ts';
import { createDoctorActivities } from './doctor/examine.ts';
import { createDrillCalendarActivities } from './drill-calendar.ts';
import { createEvidenceActivities, type EvidenceMakers } from './export-evidence.ts';
import { createExportActivities, type RenderRunbook } from './export-runbook.ts';
import { createFenceActivities } from './fence.ts';
import { createGatewayActivities } from './gateways.ts';
import type { Build } from '../domain/build.ts';
import type { Deps } from './guard.ts';
import { createMeasureActivities } from './measure.ts';
import { createMeasureLossActivities } from './measure-loss.ts';
import { createMeasurePerformanceActivities } from './measure-performance.ts';
import { createNotifyActivities } from './notify.ts';
import { createPaperActivities, type PaperMakers } from './papers.ts';
import { createPingActivities } from './ping.ts';
import { createPlantFaultActivities } from './plant-fault.ts';
import { createProvisionActivities } from './provision.ts';
import { createProveSecurityActivities } from './security/prove.ts';
import { createPruneActivities } from './prune.ts';
import { createRecordActivities } from './record.ts';
import { createRedisActivities } from './redis.ts';
import { createRewrapActivities } from './rewrap-set.ts';
import { createServerConfigActivities } from './server-config.ts';
import { createShipRedisAofActivities } from './ship-redis-aof.ts';
import { createShipWalActivities } from './ship-wal.ts';
import { createBringFilesActivities } from './standby/bring-files.ts';
import { createCommitsActivities } from './standby/commits.ts';
import { createSourceActivities } from './standby/source.ts';
import { createStandbyDatabaseActivities } from './standby/database.ts';
import { createStandbyRedisActivities } from './standby/redis.ts';
import { createStandbySiteActivities } from './standby/site.ts';
import { createStandingActivities } from './standby/standing.ts';
import { createTestKeysActivities } from './test-keys.ts';
import { createTrafficActivities } from './traffic.ts';
import { createConfigActivities } from './tyk-config.ts';
import { createUndoActivities } from './undo.ts';
import { createUnfenceActivities } from './unfence.ts';
import { createUpstreamActivities } from './upstreams.ts';
import { createVerificationActivities } from './verification.ts';
import { createWitnessActivities } from './witness.ts';

/** Every effect of tyk-dr, by the id of its step. */
export function createActivities(
  deps: Deps,
  build: Build,
  render: RenderRunbook,
  evidence: Omit<EvidenceMakers, 'version'>,
  papers: PaperMakers,
) {
  return {
    ...createPingActivities(deps, build),
    ...createPaperActivities(deps, papers),
    ...createApprovalActivities(deps),
    ...createCheckBackupActivities(deps),
    ...createCheckOtherSitesActivities(deps),
    ...createCheckTargetActivities(deps),
    ...createPlantFaultActivities(deps),
    ...createProvisionActivities(deps),
    ...createProveSecurityActivities(deps),
    ...createPruneActivities(deps),
    ...createDoctorActivities(deps),
    ...createDrillCalendarActivities(deps),
    ...createDrillTargetActivities(deps),
    ...createInjectDisasterActivities(deps),
    ...createObserveLiveActivities(deps),
    ...createObserveActivities(deps),
    ...createWatchDrillActivities(deps),
    ...createMeasureActivities(deps),
    ...createMeasureLossActivities(deps),
    ...createMeasurePerformanceActivities(deps),
    ...createNotifyActivities(deps),
    ...createFenceActivities(deps),
    ...createRedisActivities(deps),
    ...createDatabaseActivities(deps),
    ...createConfigActivities(deps),
    ...createServerConfigActivities(deps),
    ...createConfigRefActivities(deps),
    ...createDashboardActivities(deps),
    ...createDashboardEditActivities(deps),
    ...createGatewayActivities(deps),
    ...createUpstreamActivities(deps),
    ...createVerificationActivities(deps),
    ...createShipRedisAofActivities(deps),
    ...createTrafficActivities(deps),
    ...createWitnessActivities(deps),
    ...createUndoActivities(deps),
    ...createUnfenceActivities(deps),
    ...createRecordActivities(deps),
    ...createBackupActivities(deps, build.version),
    ...createCopyActivities(deps),
    ...createEvidenceActivities(deps, { version: build.version, ...evidence }),
    ...createExportActivities(deps, render),
    ...createRewrapActivities(deps, build.version),
    ...createShipWalActivities(deps),
    ...createBringFilesActivities(deps),
    ...createCommitsActivities(deps),
    ...createSourceActivities(deps),
    ...createStandbyDatabaseActivities(deps),
    ...createStandbyRedisActivities(deps),
    ...createStandbySiteActivities(deps),
    ...createStandingActivities(deps),
    ...createTestKeysActivities(deps),
  };
}

export type Activities = ReturnType<typeof createActivities>;
