import { serverVersion } from '../../adapters/postgres/control.ts';
import { requireAtLeast, requireFit, toolVersion } from '../../adapters/postgres/dump-restore.ts';
import { serviceState } from '../../adapters/service/service.ts';
import { DrError } from '../../domain/errors.ts';
import type { Manifest } from '../../domain/manifest.ts';
import type { Proof } from '../../domain/run.ts';
import type { SecretRef } from '../../domain/secret.ts';
import type { Call } from '../guard.ts';
import { notMeasured, proof } from '../proofs.ts';
import { serviceOf } from '../site.ts';
import { dumpFacts, postgresOf, requireOurs, withServer } from './dump-server.ts';

/** Whether a dump can be restored, asked before the first effect. */

export function secrets({ target }: Call): (SecretRef | undefined)[] {
  const { password, admin } = postgresOf(target);
  return [password, admin.password];
}

/** The dumps are objects of the set, which are all read to their end anyway; here, that they are there. */
export async function checkBackup(_call: Call, manifest: Manifest): Promise<Proof[]> {
  const { analyticsTables, takenAt } = dumpFacts(manifest);
  const parts = ['dump-control', ...(analyticsTables.length > 0 ? ['dump-analytics'] : [])];
  for (const object of parts)
    if (!manifest.objects.some(({ name }) => name === object))
      throw new DrError('OBJECT_MISSING', { object, set: manifest.set });
  return [proof(`both dumps are of one moment, ${takenAt}`, true, parts.length, parts.length)];
}

/** A server that runs is asked itself; of one that is stopped, its programs are. */
export async function checkTools(call: Call, manifest: Manifest): Promise<Proof[]> {
  const { binDir, host, port } = postgresOf(call.target);
  const facts = dumpFacts(manifest);
  const tool = await toolVersion(binDir, 'pg_restore');
  requireAtLeast(`${binDir}/pg_restore`, tool, facts);
  const running = await runs(call);
  const version = running
    ? await withServer(call, (client) => requireFit(client, `${host}:${port}`, facts))
    : await serverVersion(binDir);
  requireAtLeast('the server', version, facts);
  if (running && call.input.plan.steps.includes('restore-database-data')) await requireOurs(call);
  const wanted = `${facts.majorVersion} or newer`;
  return [proof('the server and pg_restore take the dump', true, wanted, `${version}, ${tool}`)];
}

/** Where the dumps are unpacked: as large as the data, without their indexes. */
export function disk({ target }: Call): string {
  return target.stateDir;
}

export async function checkWarm(call: Call, _manifest: Manifest): Promise<Proof[]> {
  if (!(await runs(call)))
    return [
      notMeasured(
        'the database, which is not restored, holds data',
        'its server is stopped, and its files are not ours to read',
      ),
    ];
  await requireOurs(call);
  const { name } = postgresOf(call.target);
  const there = await withServer(
    call,
    async (client) =>
      (await client.query('SELECT FROM pg_database WHERE datname = $1', [name])).rows.length > 0,
  );
  if (there) return [proof('the database, which is not restored, is there', true, name, name)];
  const reason = `the server has no database ${name}`;
  throw new DrError('TARGET_COLD', { site: call.input.plan.to, component: 'database', reason });
}

async function runs({ target, input }: Call): Promise<boolean> {
  if (postgresOf(target).service === undefined) return true;
  return (await serviceState(serviceOf(input.plan.to, target, 'database'))) === 'running';
}
