import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { writeStandbyMark } from '../../../adapters/host/standby-mark.ts';
import { withClient } from '../../../adapters/redis/client.ts';
import { awaitLink, follow } from '../../../adapters/redis/replica.ts';
import { exportedExample } from '../../harness/exported.ts';
import { startTestRedis, type TestRedis } from '../../harness/redis.ts';

/** An exported script on the site of a standby, whose Redis is told by its own file to follow the lost one. */

let master: TestRedis;
let replica: TestRedis;
let folder: string;
beforeAll(async () => {
  [master, replica] = await Promise.all([startTestRedis(), startTestRedis()]);
  folder = await mkdtemp(join(tmpdir(), 'tyk-dr-exported-standby-'));
  await mkdir(join(folder, 'state'));
});
afterAll(async () => {
  await Promise.all([master.close(), replica.close()]);
  await rm(folder, { recursive: true });
});

/** Runs lines in the script of paris, whose services are all as `running` says. */
async function inScript(running: 0 | 1, lines: string): Promise<string> {
  const { files } = await exportedExample(({ sites }) => {
    sites.paris.stateDir = join(folder, 'state');
    Object.assign(sites.paris.redis, { configFile: replica.configFile });
  });
  const prepared = [
    ...['RUN=rec-1', 'EPOCH=1', 'FROM=london', `WORK=${folder}`, 'STEP=x'],
    `running() { return ${running}; }`,
    'check_programs() { :; }',
    // What follows in the step is not looked at here.
    'proof() { echo "$2: $1"; exit 0; }',
  ];
  const script = files['recover-paris.sh']!.replace('\nmain "$@"\n', `\n${prepared.join('\n')}\n${lines}\n`);
  const file = join(folder, 'script.sh');
  await writeFile(file, script);
  const { stdout, stderr } = await execa('bash', [file], { reject: false });
  return `${stdout}\n${stderr}`;
}

test('it recovers beside what follows, and what is restored there is its own master', async () => {
  expect(await inScript(0, 'check-target')).toMatch(/of site paris is running: the site may be serving/);
  await writeStandbyMark(join(folder, 'state'), { of: 'london', run: 'rep-1', at: '' });
  const looked = await inScript(0, 'check-target');
  expect(looked).toContain('pass: the target does not serve');
  expect(looked).toMatch(
    /paris is a standby of london: what is newer than the set is lost .*a failover loses less/,
  );

  await follow(replica.endpoint, master.endpoint, true);
  await awaitLink(replica.endpoint, { timeoutMs: 10_000 });
  await Promise.all([master.kill(), replica.kill()]);
  const { mode } = await stat(replica.configFile);
  expect(await inScript(1, 'claim-target\necho "$SUMMARY"')).toContain('it follows nobody any more');
  expect((await stat(replica.configFile)).mode).toBe(mode);
  expect(await readdir(join(folder, 'state'))).not.toContain('standby.json');
  await replica.start();
  const role = await withClient(replica.endpoint, async (client) => (await client.call('ROLE')) as [string]);
  expect(role[0]).toBe('master');
});
