import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { StepResult } from '../../../domain/run.ts';
import { callActivity } from '../../harness/activity.ts';
import { configScene, makeConfigSet, type ConfigScene } from '../../harness/config-set.ts';
import { stepOf } from '../../harness/deployment.ts';

/** A server's own configuration: in the set with what it names, and on recovery offered, never forced on a host. */

const SET = '20260101T000000Z-0001';
const SAVED =
  'port 6379\nmaxmemory 1gb\nrequirepass hunter2-hunter2\naclfile users.acl\ntls-key-file /elsewhere/key\n';
const OWN = 'port 6379\nmaxmemory 2gb\nrequirepass another-password\naclfile users.acl\n';

let scene: ConfigScene;
let etc: string;
beforeAll(async () => {
  const dir = await mkdtemp(join(tmpdir(), 'tyk-dr-server-'));
  etc = join(dir, 'etc');
  await mkdir(etc);
  const redis = { port: 6379, dataDir: join(dir, 'data'), configFile: join(etc, 'redis.conf') };
  scene = await configScene(dir, {}, { redis });
  await mkdir(scene.gateway, { recursive: true });
  await writeFile(join(scene.gateway, 'tyk.conf'), '{}');
  await writeFile(join(etc, 'redis.conf'), SAVED);
  await writeFile(join(etc, 'users.acl'), 'user default on\n');
  await writeFile(join(etc, 'unrelated'), 'not ours');
  await chmod(join(etc, 'redis.conf'), 0o640);
  await makeConfigSet(scene, SET, { apis: [], policies: [] });
});
afterAll(() => rm(scene.dir, { recursive: true, force: true }));

async function place(from: string): Promise<StepResult> {
  const step = stepOf(scene, { run: 'rec-1', step: 'place-server-config', set: SET });
  const input = { ...step, plan: { ...step.plan, from } };
  const call = { configFile: scene.configFile, activity: 'place-server-config', input };
  const { result, error } = await callActivity(call);
  if (!result) throw new Error(error?.message);
  return result;
}

const read = (name: string): Promise<string> => readFile(join(etc, name), 'utf8');

test('a target that is configured alike is left alone', async () => {
  expect((await place('primary')).summary).toContain('configured alike');
  expect((await readdir(etc)).sort()).toEqual(['redis.conf', 'unrelated', 'users.acl']);
});

test('what differs lies beside, with its mode; the settings are named, their values are not', async () => {
  await writeFile(join(etc, 'redis.conf'), OWN);
  const { summary, exception } = await place('primary');
  expect(exception).toBeUndefined();
  expect(summary).toMatch(/redis\.conf differs in maxmemory, requirepass, tls-key-file/);
  expect(summary).not.toMatch(/hunter2|another-password/);
  expect([await read('redis.conf'), await read('redis.conf.from-backup')]).toEqual([OWN, SAVED]);
  expect((await stat(join(etc, 'redis.conf.from-backup'))).mode & 0o777).toBe(0o640);
});

test('what is missing comes back where the server stood, and is offered on another site', async () => {
  await rm(join(etc, 'users.acl'));
  await place('primary');
  expect([await read('users.acl.from-backup'), await read('redis.conf')]).toEqual(['user default on\n', OWN]);
  await expect(read('users.acl')).rejects.toThrow('ENOENT');
  await place('dr');
  expect(await read('users.acl')).toBe('user default on\n');
});

test('a folder that cannot be written to is told, and holds nothing up', async () => {
  await rm(etc, { recursive: true });
  await writeFile(etc, 'in the way');
  const { exception } = await place('primary');
  expect(exception).toMatch(/the configuration of redis was not placed/);
});
