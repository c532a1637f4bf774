import type { ApprovalPolicy } from '../domain/approvals.ts';
import type { Plant } from '../domain/drill.ts';
import type { Objectives, Tier } from '../domain/objectives.ts';
import type { Slos } from '../domain/service-level.ts';
import type { Recoverable, Scenario } from '../domain/run.ts';
import type { Strategy } from '../domain/strategy.ts';

/** What the plan needs to know of a deployment. `cli/` derives it from the configuration. */
export interface DeploymentShape {
  readonly deployment: string;
  readonly tier: Tier;
  /** Absent in shapes that schedules of earlier versions carry: backup-restore. */
  readonly strategy?: Strategy;
  readonly synchronous?: boolean;
  /** Share of the clients that a hot standby serves, percent. */
  readonly sharePercent?: number;
  /** So many Gateways of a warm standby run; absent: all. */
  readonly standbyGateways?: number;
  /** How far a standby may be behind; absent: as the RPO. */
  readonly maxLagMs?: number;
  readonly objectives: Objectives;
  readonly hasDashboard: boolean;
  readonly hasDatabase: boolean;
  /** The database's backup has a log, and recovers to any moment; without one, only to that of a set. */
  readonly hasDatabaseLog: boolean;
  readonly hasRedis: boolean;
  readonly hasPump: boolean;
  readonly hasTraffic: boolean;
  readonly hasAnalyticsProbe: boolean;
  readonly hasWitness: boolean;
  readonly slos?: Slos;
  /** Where drills go, and how long they may take. */
  readonly drill?: { readonly site: string; readonly limitMs: number };
  /** It declares whom to tell. */
  readonly notifies?: boolean;
  readonly sites: Readonly<Record<string, SiteShape>>;
  readonly trafficWorker?: string;
  readonly approvals?: readonly ApprovalPolicy[];
  /** Faults that cannot be planted in it, for want of what they need. */
  readonly unplantable?: readonly Plant[];
  /** How many people may approve at all. */
  readonly approvers?: number;
}

export interface SiteShape {
  readonly worker: string;
  readonly redisWorker?: string;
  readonly databaseWorker?: string;
  readonly dashboardWorker?: string;
  readonly gatewayWorkers: readonly string[];
  readonly pumpWorker?: string;
  readonly provisions: boolean;
}

export interface RecoverRequest {
  readonly to: string;
  readonly from?: string;
  readonly backup: string;
  /** False: the set alone. */
  readonly snapshots?: boolean;
  readonly component?: Recoverable;
  /** The component is started with the data and the configuration that it has; of it only these services are stopped. */
  readonly asIs?: readonly string[];
  readonly scenario: Scenario;
  readonly occurredAt?: string;
  readonly toTime?: string;
  readonly inPlace: boolean;
  readonly onFailure: 'ask' | 'abort';
}
