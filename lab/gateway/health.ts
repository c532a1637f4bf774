import type { Redis } from 'ioredis';
import type { Conf } from './conf.ts';
import type { DashboardClient } from './dashboard-client.ts';
import { log, reasonOf } from './log.ts';

/** What the stand-in says it is: the version that its contract was proven on, and that it is not that. */
export const VERSION = 'v5.3.8-stand-in';

const PROBE = 'tyk-liveness-probe';
const PROBE_SECONDS = 10;

interface Check {
  readonly status: 'pass' | 'fail';
  readonly output?: string;
  readonly componentType: 'datastore' | 'system';
  readonly time: string;
}

export interface HealthReport {
  readonly status: 'pass' | 'warn' | 'fail';
  readonly version: string;
  readonly description: 'Tyk GW';
  readonly details?: Readonly<Record<string, Check>>;
}

/** Looks at Redis and the Dashboard every so often; what it says in between is what it saw last. */
export class Health {
  readonly #redis: Redis;
  readonly #dashboard: DashboardClient | undefined;
  readonly #timer: NodeJS.Timeout;
  #checks: Readonly<Record<string, Check>> = {};

  constructor(conf: Conf, redis: Redis, dashboard: DashboardClient | undefined) {
    this.#redis = redis;
    this.#dashboard = dashboard;
    this.#timer = setInterval(() => void this.#look(), conf.checkMs);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  report(): HealthReport {
    const checks = Object.values(this.#checks);
    const failed = checks.filter((check) => check.status === 'fail').length;
    const status = failed === 0 ? 'pass' : failed === checks.length ? 'fail' : 'warn';
    const head = { status, version: VERSION, description: 'Tyk GW' } as const;
    return checks.length === 0 ? head : { ...head, details: this.#checks };
  }

  async #look(): Promise<void> {
    const redis = check('datastore', () => this.#redis.set(PROBE, PROBE, 'EX', PROBE_SECONDS));
    const dashboard = this.#dashboard;
    const system = dashboard && check('system', () => dashboard.ping());
    this.#checks = { ...(system ? { dashboard: await system } : {}), redis: await redis };
  }
}

async function check(componentType: Check['componentType'], probe: () => Promise<unknown>): Promise<Check> {
  const time = new Date().toISOString();
  try {
    await probe();
    return { status: 'pass', componentType, time };
  } catch (error) {
    log('error', `health check of ${componentType} failed: ${reasonOf(error)}`);
    return { status: 'fail', output: reasonOf(error), componentType, time };
  }
}
