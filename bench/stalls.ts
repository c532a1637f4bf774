import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
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
const READY = 'ready\n';

export async function withStalls<T>(
  lab: Lab,
  work: () => Promise<T>,
): Promise<{ result: T; stalls: Stalls }> {
  const child = spawn(process.execPath, [PROGRAM], { stdio: ['pipe', 'pipe', 'pipe'] });
  child.stdin.end(JSON.stringify(await targetsOf(lab)));
  let said = '';
  child.stdout.setEncoding('utf8');
  const ready = new Promise<void>((resolve) => {
    child.stdout.on('data', (chunk: string) => {
      said += chunk;
      if (said.startsWith(READY)) resolve();
    });
  });
  const ended = Promise.all([text(child.stderr), once(child, 'close')]);
  try {
    await Promise.race([ready, ended]);
    const result = await work();
    child.kill('SIGTERM');
    const [complaint] = await ended;
    const seen = said.slice(READY.length);
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
