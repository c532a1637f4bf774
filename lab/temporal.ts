import { access } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { Connection } from '@temporalio/client';
import { run } from '../adapters/process/run.ts';
import { declareService, start } from './services.ts';
import type { Lab } from './layout.ts';

/** Temporal's development server with its UI, on a database file, keeping history for a year. */

/** The server forgets ended runs after a day unless told otherwise. */
const RETENTION = '8760h';
const START_TIMEOUT_MS = 30_000;

export const temporalAddress = (lab: Lab): string => `127.0.0.1:${lab.ports.temporal}`;

export async function declareTemporal(lab: Lab): Promise<void> {
  await declareService(lab, {
    name: 'temporal',
    argv: [
      await temporalBinary(),
      ...['server', 'start-dev', '--ip', '127.0.0.1', '--ui-ip', '127.0.0.1'],
      ...['--port', String(lab.ports.temporal), '--ui-port', String(lab.ports['temporal-ui'])],
      ...['--db-filename', join(lab.dir, 'temporal.db'), '--log-level', 'warn'],
      // The tier's priority has an effect only with the new matcher.
      ...['--dynamic-config-value', 'matching.useNewMatcher=true'],
    ],
  });
}

export async function startTemporal(lab: Lab): Promise<void> {
  await start(lab, 'temporal');
  const connection = await connected(lab);
  await connection.close();
  await run([
    await temporalBinary(),
    'operator',
    'namespace',
    'update',
    '--retention',
    RETENTION,
    '-n',
    'default',
    '--address',
    temporalAddress(lab),
  ]);
}

async function connected(lab: Lab): Promise<Connection> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    try {
      const connection = await Connection.connect({ address: temporalAddress(lab), connectTimeout: 2_000 });
      await connection.workflowService.describeNamespace({ namespace: 'default' });
      return connection;
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
  }
}

/** From PATH, else the one that the set-up built into the per-user cache. */
export async function temporalBinary(): Promise<string> {
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  const places = [
    ...(process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, 'temporal')),
    join(cache, 'tyk-dr', 'bin', 'temporal-1.5.1'),
  ];
  for (const place of places) {
    if (
      await access(place).then(
        () => true,
        () => false,
      )
    ) {
      return place;
    }
  }
  throw new Error('the Temporal CLI is neither on PATH nor in the cache: run npm run setup');
}
