import { chmod, copyFile, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { ControlAnswer } from '../../domain/control-map.ts';
import { DrError } from '../../domain/errors.ts';
import { namedPack } from '../../domain/evidence.ts';
import { jsonOf } from '../../domain/json.ts';
import type { Repository } from '../backup/signed.ts';
import { fileError } from '../files/disk-error.ts';
import { exists } from '../files/exists.ts';
import { listPacks } from './chain.ts';
import { openPack } from './pack.ts';

/** Everything that an auditor gets, in one folder that is only read. */

export interface PackFacts {
  readonly file: string;
  readonly sequence: number;
  readonly run: string;
  readonly digest: string;
  readonly controls: readonly ControlAnswer[];
  readonly unreadable?: string;
}

/** Also those that are damaged: an auditor must see them as they are. */
export async function packFacts(config: Repository, deployment: string): Promise<PackFacts[]> {
  const facts: PackFacts[] = [];
  for (const file of await listPacks(config, deployment)) {
    const { index, digest, members, problems } = openPack(await readFile(file), config.trustedKeys);
    const map = jsonOf(members.find(({ name }) => name === 'control-map.json')?.data.toString('utf8') ?? '');
    const { controls = [] } = (map ?? {}) as { controls?: ControlAnswer[] };
    facts.push({
      ...{ file: basename(file), sequence: index?.sequence ?? namedPack(basename(file))!.sequence },
      ...{ run: index?.run ?? 'unknown', digest: digest ?? 'unknown' },
      controls: problems.length === 0 ? controls : [],
      ...(problems.length === 0 ? {} : { unreadable: problems[0]! }),
    });
  }
  return facts;
}

/** @throws DrError BAD_ARGUMENT where the folder is there already, DISK_FAILED */
export async function writeBundle(
  config: Repository,
  deployment: string,
  folder: string,
  texts: Readonly<Record<string, string>>,
): Promise<string[]> {
  if (await exists(folder))
    throw new DrError('BAD_ARGUMENT', {
      ...{ argument: '--out', value: folder, expected: 'a folder that is not there yet' },
    });
  const draft = join(dirname(folder), `.${basename(folder)}.tyk-dr-new`);
  try {
    await rm(draft, { recursive: true, force: true });
    await mkdir(join(draft, 'packs'), { recursive: true });
    const packs = await listPacks(config, deployment);
    const names = [...packs.map((pack) => `packs/${basename(pack)}`), ...Object.keys(texts)];
    for (const pack of packs) await copyFile(pack, join(draft, 'packs', basename(pack)));
    for (const [name, text] of Object.entries(texts)) await writeFile(join(draft, name), text);
    for (const name of names) await chmod(join(draft, name), 0o444);
    await rename(draft, folder);
    return names.sort();
  } catch (error) {
    throw fileError(folder, error);
  }
}
