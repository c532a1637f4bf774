import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { configFile, outside, siteDir, sitePort, siteServices, type SiteName } from '../../lab/layout.ts';
import { declareService, pidOf } from '../../lab/services.ts';
import { recordOf, TestLab, type Answer } from '../harness/lab.ts';
import { sqlOn } from '../harness/sql.ts';
import { HUNG_UP, watchPorts, type Caller, type Watch } from '../harness/watch-ports.ts';

/** A target that is not the source: it lacks a part, and nothing of it may ever turn to the lost site. */

let lab: TestLab;
let watch: Watch;
let answer: Answer;
let portalBefore: unknown;
let treeBefore: string;

beforeAll(async () => {
  lab = await TestLab.up();
  await lab.expect('backup', 'acme');
  portalBefore = await portalRows('primary');
  treeBefore = await portalTree('primary');
  await takeRedisAway();
  await lab.destroyPrimary();
  const services = siteServices(lab.lab);
  const ports = Object.fromEntries(
    services.map((service) => [service, sitePort(lab.lab, 'primary', service)]),
  );
  const haproxy = await pidOf(lab.lab, 'haproxy');
  const recovering = lab.recover('--on-failure', 'abort', '--json');
  // The fence looks at the lost site's ports, and it is that site's own worker that does. When the restore begins the
  // fence has been set, and no process of dr runs yet.
  const beside = async (): Promise<string[]> => readdir(siteDir(lab.lab, 'dr', 'redis'));
  while (!(await beside()).some((name) => name.startsWith('data.tyk-dr'))) await sleep(5);
  watch = await watchPorts(ports, [haproxy!]);
  answer = await recovering;
});
afterAll(async () => {
  await watch?.close();
  await lab.down();
});

/** dr has no redis-server until its `install` command has brought it. */
async function takeRedisAway(): Promise<void> {
  const bin = join(lab.lab.dir, 'opt');
  const redis = join(bin, 'redis-server');
  const install = join(bin, 'install');
  await mkdir(bin);
  await writeFile(
    install,
    `#!/bin/sh\nset -e\necho "$1 $TYK_DR_SITE $TYK_DR_VERSION" >> ${bin}/installed\n[ "$1" != redis ] || cp /usr/bin/redis-server ${redis}\n`,
  );
  await chmod(install, 0o755);
  const file = configFile(lab.lab);
  const config = parse(await readFile(file, 'utf8')) as {
    deployments: { acme: { sites: { dr: { redis: object; gateways: object[] } } } };
  };
  const { dr } = config.deployments.acme.sites;
  Object.assign(dr.redis, { binary: redis, install: [install, 'redis'] });
  Object.assign(dr.gateways[0]!, { install: [install, 'gateway'] });
  await writeFile(file, stringify(config));
  await declareService(lab.lab, {
    name: 'dr-redis',
    site: 'dr',
    argv: [redis, siteDir(lab.lab, 'dr', 'redis', 'redis.conf')],
  });
  for (const site of ['primary', 'dr'] as const) await lab.restartWorker(site);
}

const portalRows = (site: SiteName): Promise<unknown> =>
  Promise.all(
    ['pages', 'catalogue', 'developers', 'css'].map((table) =>
      sqlOn(lab.lab, site, `SELECT * FROM portal_${table} ORDER BY id`),
    ),
  );

/** Names, links and contents. */
async function portalTree(site: SiteName): Promise<string> {
  const list = 'find . -printf "%p %y %l %m\\n" | sort; find . -type f -exec sha256sum {} + | sort';
  return (await execa('sh', ['-c', list], { cwd: siteDir(lab.lab, site, 'dashboard', 'portal') })).stdout;
}

test('a part that is missing is installed, in the version of the backup, and the target recovers', async () => {
  expect(answer.exitCode, answer.stdout.slice(-3000) + answer.stderr).toBe(0);
  const record = recordOf(answer);
  const summaryOf = (id: string): string => record.steps.find((step) => step.id === id)?.summary ?? '';
  expect(summaryOf('check-target')).toContain('still to be installed: redis');
  expect(summaryOf('provision-target')).toBe('provisioned redis, gateway gw1');
  const { redis, gateway } = record.set!.versions as { redis: string; gateway: string };
  expect(redis).toMatch(/^7\./);
  expect(await readFile(join(lab.lab.dir, 'opt', 'installed'), 'utf8')).toBe(
    `redis dr ${redis}\ngateway dr ${gateway}\n`,
  );
});

test('no process of dr turns to the lost site, during the recovery and after it', async () => {
  const witnessed = async (): Promise<number> =>
    (await stat(outside(lab.lab, 'witness', 'clients.jsonl'))).size;
  const before = await witnessed();
  // Some five seconds of clients: long enough for what polls, pings or purges.
  await expect.poll(witnessed, { timeout: 60_000 }).toBeGreaterThan(before + 10_000);
  // HAProxy asks after the old Gateways until the switch, and hangs up within half a second: sooner, now and then,
  // than we can look. Whoever else would call waits seconds for an answer that never comes.
  const ofHaproxy = ({ called, by }: Caller): boolean =>
    called.startsWith('gw') && (by.startsWith('/usr/sbin/haproxy') || by === HUNG_UP);
  expect(watch.callers.filter((caller) => !ofHaproxy(caller))).toEqual([]);
  // The watch does see who calls.
  const port = sitePort(lab.lab, 'primary', 'redis');
  const call = execa(process.execPath, ['-e', `require('net').connect(${port}, '127.0.0.1')`], {
    reject: false,
  });
  await expect
    .poll(() => watch.callers.find(({ called }) => called === 'redis')?.by)
    .toMatch(/node -e require/);
  call.kill();
  await call;
});

test('the portal’s pages and uploads are all there', async () => {
  expect(await portalRows('dr')).toEqual(portalBefore);
  expect(await portalTree('dr')).toBe(treeBefore);
  expect(treeBefore).toContain('uploads/terms.txt');
});
