import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { parse, stringify } from 'yaml';
import { readManifest, setFolder, writeAttestation } from '../../adapters/backup/repository.ts';
import { sealStream } from '../../adapters/backup/seal.ts';
import { loadConfig } from '../../adapters/config/load.ts';
import type { PartResult } from '../../domain/backup.ts';
import type { Json } from '../../domain/json.ts';
import type { ManifestObject } from '../../domain/manifest.ts';
import type { Definitions } from '../../domain/versioned.ts';
import { callActivity } from './activity.ts';
import { backupStepOf, signSet, writeDeployment, type Stores, type TestDeployment } from './deployment.ts';

/** Sets that hold configuration only, made by the product's own activity, and a git repository to keep them in. */

export interface ConfigScene extends TestDeployment {
  readonly git: string;
  /** The folder of the Gateway of site dr. */
  readonly gateway: string;
}

/** @param git lines of `backup.git` besides the repository */
export async function configScene(
  dir: string,
  git: Record<string, unknown> = {},
  stores: Stores = {},
): Promise<ConfigScene> {
  const made = await writeDeployment(dir, stores);
  const repository = join(dir, 'config.git');
  const config = parse(await readFile(made.configFile, 'utf8')) as {
    deployments: {
      acme: { backup: Record<string, unknown>; sites: Record<string, Record<string, unknown>[]> };
    };
  };
  const { acme } = config.deployments;
  acme.backup['git'] = { repository, ...git };
  for (const { gateways } of Object.values(acme.sites) as unknown as {
    gateways: Record<string, unknown>[];
  }[])
    gateways[0]!['include'] = ['certs', 'middleware', 'portal'];
  await writeFile(made.configFile, stringify(config));
  const deployment = (await loadConfig(made.configFile)).deployments['acme']!;
  await mkdir(deployment.sites['dr']!.stateDir, { recursive: true });
  const gateway = deployment.sites['dr']!.gateways[0]!.root;
  await mkdir(gateway, { recursive: true });
  return { ...made, deployment, git: repository, gateway };
}

export async function writeFiles(
  root: string,
  files: Readonly<Record<string, string | Buffer | Json>>,
): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    const file = join(root, name);
    await mkdir(join(file, '..'), { recursive: true });
    const raw = typeof content === 'string' || Buffer.isBuffer(content);
    await writeFile(file, raw ? content : JSON.stringify(content));
  }
}

/** Backs up what lies in the Gateway's folder now. */
export async function makeConfigSet(
  scene: ConfigScene,
  set: string,
  definitions: Definitions,
): Promise<void> {
  const input = backupStepOf(scene, 'back-up-config', set);
  const { result, error } = await callActivity({
    configFile: scene.configFile,
    activity: 'back-up-config',
    input,
  });
  if (!result) throw new Error(error?.message);
  const folder = setFolder(scene.deployment.backup, 'acme', set);
  const file = 'definitions.zst.age';
  const sealed = await sealStream(
    Readable.from([Buffer.from(JSON.stringify(definitions))]),
    join(folder, file),
    scene.keys.recipients,
  );
  const object: ManifestObject = { name: 'definitions', file, ...sealed };
  await signSet(scene, { set, site: 'dr', objects: [...(result as PartResult).objects, object] });
}

/** As if the set had been restored. */
export async function attest({ deployment, keys }: ConfigScene, set: string): Promise<void> {
  const { sha256 } = await readManifest(deployment.backup, 'acme', set);
  const verifiedAt = new Date().toISOString();
  const attestation = { format: 'tyk-dr/attestation/v1', set, manifestSha256: sha256, verifiedAt } as const;
  await writeAttestation(deployment.backup, 'acme', attestation, keys.signing);
}
