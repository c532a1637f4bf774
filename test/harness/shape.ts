import type { DeploymentShape, RecoverRequest } from '../../runbooks/shape.ts';

/** A deployment with every part, on two sites. */
export const FULL_SHAPE: DeploymentShape = {
  deployment: 'acme',
  tier: 'critical',
  objectives: { rtoMs: 900_000, rpoMs: 300_000 },
  hasDashboard: true,
  hasDatabase: true,
  hasDatabaseLog: true,
  hasRedis: true,
  hasPump: true,
  hasTraffic: true,
  hasAnalyticsProbe: true,
  hasWitness: true,
  slos: { availabilityPercent: 99, p95Ms: 250 },
  sites: {
    primary: { worker: 'primary', gatewayWorkers: ['primary'], provisions: false },
    dr: { worker: 'dr', gatewayWorkers: ['dr'], provisions: false },
  },
};

export const REQUEST: RecoverRequest = {
  to: 'dr',
  backup: 'latest',
  scenario: 'infrastructure',
  inPlace: false,
  onFailure: 'ask',
};
