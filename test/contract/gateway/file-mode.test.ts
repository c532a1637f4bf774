import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import type { ApiListEntry } from '../../../lab/tyk/api-definition.ts';
import { accessTo, type Policy } from '../../../lab/tyk/policy.ts';
import { eventually, type RunningGateway } from '../../harness/gateway.ts';
import { contractOf, GATEWAY_UNDER_TEST } from './contract.ts';
import { startScene, statusOf, untilStatus, type Scene } from './scene.ts';

describe(`files, on ${GATEWAY_UNDER_TEST}`, () => {
  const proves = contractOf('files');
  let scene: Scene;
  let gateway: RunningGateway;
  let folder: string;

  beforeAll(async () => {
    scene = await startScene();
    folder = await mkdtemp(path.join(tmpdir(), 'tyk-dr-files-'));
    await mkdir(path.join(folder, 'apps'));
    await mkdir(path.join(folder, 'policies'));
    await writeApi(scene.api({ apiId: 'open', auth: 'keyless' }));
    await writeApi(scene.api({ apiId: 'token' }));
    await writeApi(scene.api({ apiId: 'openapi', auth: 'keyless', oas: true }));
    await writeFile(path.join(folder, 'apps/damaged.json'), '{"api_id":');
    await writePolicy(scene.policy({ id: 'gold', access_rights: accessTo(['token']) }));
    gateway = await scene.gateway({
      source: { appPath: path.join(folder, 'apps'), policyPath: path.join(folder, 'policies') },
    });
    await untilStatus(gateway, '/open/', 200);
  });
  afterAll(async () => {
    await scene.end();
    await rm(folder, { recursive: true, force: true });
  });

  const writeApi = async ({ api_definition: definition, oas }: ApiListEntry): Promise<void> => {
    const base = path.join(folder, 'apps', definition.api_id);
    await writeFile(`${base}.json`, JSON.stringify(definition));
    if (oas) await writeFile(`${base}-oas.json`, JSON.stringify(oas));
  };
  const writePolicy = (policy: Policy) =>
    writeFile(path.join(folder, 'policies', `${policy.id}.json`), JSON.stringify({ ...policy, _id: '' }));
  const reload = () => gateway.control('GET', '/tyk/reload?block=true');

  proves('files.apis', 'serves the definitions of a folder, classic and OpenAPI', async () => {
    expect(await statusOf(gateway, '/open/')).toBe(200);
    expect(await statusOf(gateway, '/token/')).toBe(401);
    expect(await statusOf(gateway, '/openapi/')).toBe(200);
  });

  proves('files.damaged-is-skipped', 'a file that is no JSON costs only its own API', async () => {
    const apis = (await (await gateway.control('GET', '/tyk/apis')).json()) as { api_id: string }[];
    expect(apis.map((api) => api.api_id).sort()).toEqual(['open', 'openapi', 'token']);
  });

  proves('files.policies-by-id', 'policies of a folder go by their id, whatever its form', async () => {
    const key = await scene.storeKey({ apply_policies: ['gold'] });
    expect(await statusOf(gateway, '/token/', key)).toBe(200);
  });

  proves('files.hello', 'knows only Redis, and fails when Redis is gone', async () => {
    await eventually(async () => {
      expect(Object.keys((await gateway.hello()).details ?? {})).toEqual(['redis']);
    });
    await scene.redis.stop();
    await eventually(async () => expect((await gateway.hello()).status).toBe('fail'), 12_000);
    expect(await statusOf(gateway, '/open/')).toBe(200);
    await scene.redis.resume();
    await eventually(async () => expect((await gateway.hello()).status).toBe('pass'), 12_000);
  });

  proves('files.reload', 'picks up what was added and drops what was removed', async () => {
    await writeApi(scene.api({ apiId: 'added', auth: 'keyless' }));
    await rm(path.join(folder, 'apps/openapi.json'));
    await reload();
    expect(await statusOf(gateway, '/added/')).toBe(200);
    expect(await statusOf(gateway, '/openapi/')).toBe(404);
  });
});
