import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BackupConfig } from '../../domain/config.ts';
import { jsonOf } from '../../domain/json.ts';
import { declaredPorts, undeclaredOf, type HostLook } from '../../domain/undeclared.ts';
import { writeDurably } from '../files/durable.ts';
import { allListeners } from './sockets.ts';

/** What workers see on their hosts, kept in the repository for the review: `<repository>/<deployment>/hosts/`. */

type Repository = Pick<BackupConfig, 'repository'>;

const hostsFolder = ({ repository }: Repository, deployment: string): string =>
  join(repository, deployment, 'hosts');

/** @param config all of it: what another deployment declares is declared */
export async function lookAtHost(config: unknown, worker: string, nowMs: number): Promise<HostLook> {
  const { listeners, unknown } = await allListeners();
  const undeclared = undeclaredOf(listeners, declaredPorts(config));
  return { version: 1, worker, at: new Date(nowMs).toISOString(), undeclared, unknown };
}

export async function keepLook(config: Repository, deployment: string, look: HostLook): Promise<void> {
  const folder = hostsFolder(config, deployment);
  await mkdir(folder, { recursive: true });
  await writeDurably(join(folder, `${look.worker}.json`), `${JSON.stringify(look)}\n`, 0o640);
}

/** The newest look of each worker, by name. */
export async function readLooks(config: Repository, deployment: string): Promise<HostLook[]> {
  const folder = hostsFolder(config, deployment);
  const names = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith('.json')).sort();
  const looks = await Promise.all(
    names.map(
      async (name) =>
        jsonOf(await readFile(join(folder, name), 'utf8').catch(() => '')) as HostLook | undefined,
    ),
  );
  return looks.filter((look): look is HostLook => look?.version === 1 && Array.isArray(look.undeclared));
}
