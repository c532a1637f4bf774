import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { DrError } from '../domain/errors.ts';
import { redisOf, superuserOf } from '../lab/connections.ts';
import { readKey } from '../lab/keys.ts';
import { hasDatabase, sitePort, type Lab } from '../lab/layout.ts';
import type { ProbeTargets } from './client-probe.ts';
import type { Latency } from './figures.ts';

/** How long clients of the stores wait while something else is going on: the same probe, whatever that is. */

export interface Stalls {
  readonly redis: Latency;
  /** Whichever database the lab has. */
  readonly database: Latency;
}

const PROGRAM = fileURLToPath(new URL('./client-probe.js', import.meta.url));
/** The probe has connected by then, and has seen some calls without company. */
const SETTLE_MS = 500;

export async function withStalls<T>(
  lab: Lab,
  work: () => Promise<T>,
): Promise<{ result: T; stalls: Stalls }> {
  const child = spawn(process.execPath, [PROGRAM], { stdio: ['pipe', 'pipe', 'pipe'] });
  child.stdin.end(JSON.stringify(await targetsOf(lab)));
  const output = Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  try {
    await sleep(SETTLE_MS);
    const result = await work();
    child.kill('SIGTERM');
    const [seen, complaint] = await output;
    if (seen === '')
      throw new DrError('TOOL_FAILED', {
        tool: 'the probe of the clients',
        exit: 'early',
        output: complaint,
      });
    const { redis, postgres, mongodb } = JSON.parse(seen) as Record<string, Latency>;
    return { result, stalls: { redis: redis!, database: (postgres ?? mongodb)! } };
  } finally {
    child.kill('SIGKILL');
  }
}

async function targetsOf(lab: Lab): Promise<ProbeTargets> {
  const redis = {
    port: (await redisOf(lab, 'primary')).port!,
    password: await readKey(lab, 'primary-redis-password'),
  };
  if (hasDatabase(lab, 'mongodb')) {
    const port = sitePort(lab, 'primary', 'mongodb');
    return { redis, mongodb: { host: '127.0.0.1', port, database: 'tyk_analytics' } };
  }
  const connection = await superuserOf(lab, 'primary');
  return { redis, postgres: { ...connection, password: await readKey(lab, 'postgres-admin-password') } };
}
