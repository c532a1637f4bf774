import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { newSetId } from '../../adapters/backup/repository.ts';
import { placeEntries, placePaths } from '../../adapters/files/place-entries.ts';
import { removeStandbyMark, writeStandbyMark } from '../../adapters/host/standby-mark.ts';
import { bringFiles } from '../../activities/standby/bring-files.ts';
import type { BringFilesResult } from '../../domain/backup.ts';
import type { Site } from '../../domain/config.ts';
import { Secret } from '../../domain/secret.ts';
import { configScene, makeConfigSet, writeFiles, type ConfigScene } from '../harness/config-set.ts';
import { backupStepOf } from '../harness/deployment.ts';

/** Configuration of the site that serves (dr) reaches the standby (primary) with the next set, and only what has changed. */

let dir: string;
let scene: ConfigScene;
let gateway: Server;
let commands: string;
const asked: string[] = [];
/** The Gateway does not reload. */
let refuses = false;

/** The standby, with a Gateway that says what it was told. */
let standby: Site;
const own = (...path: string[]): string => join(dir, 'primary', 'gw1', ...path);

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tyk-dr-files-test-'));
  scene = await configScene(dir);
  commands = join(dir, 'commands');
  gateway = createServer((request, response) => {
    asked.push(request.url ?? '');
    if (refuses && request.url !== '/hello') response.statusCode = 500;
    response.end(JSON.stringify({ status: 'pass', version: 'v5.3.8', details: {} }));
  }).listen(0, '127.0.0.1');
  await once(gateway, 'listening');
  const { primary } = scene.deployment.sites;
  const logged = (what: string): string[] => ['sh', '-c', `echo ${what} >> ${commands}`];
  standby = {
    ...primary!,
    gateways: [
      {
        ...primary!.gateways[0]!,
        url: `http://127.0.0.1:${(gateway.address() as AddressInfo).port}`,
        // It runs unless it was the last to be told to stop.
        service: {
          ...{ start: logged('start'), stop: logged('stop') },
          status: ['sh', '-c', `[ "$(tail -n 1 ${commands})" = start ] || exit 3`],
        },
      },
    ],
  };
  await writeFile(commands, 'stop\n');
  await mkdir(standby.stateDir, { recursive: true });
  await mkdir(own(), { recursive: true });
  await follow();
  await writeFiles(scene.gateway, {
    'tyk.conf': { listen_port: 1, enable_jsvm: true, app_path: join(scene.gateway, 'apps') },
    'middleware/auth.js': 'first',
  });
  await seal();
});
afterAll(async () => {
  gateway?.close();
  await rm(dir, { recursive: true, force: true });
});

const follow = (): Promise<void> =>
  writeStandbyMark(standby.stateDir, { of: 'dr', run: 'rep-1', at: new Date().toISOString() });

let sets = 0;
/** What lies at the site that serves, in a set of its own second. */
async function seal(): Promise<string> {
  sets += 1;
  const set = newSetId(new Date(Date.UTC(2026, 0, 1, 0, 0, sets)));
  await makeConfigSet(scene, set, { apis: [], policies: [] });
  return set;
}

async function bring(lock?: string): Promise<BringFilesResult> {
  const deployment = {
    ...scene.deployment,
    strategy: 'warm-standby' as const,
    sites: { ...scene.deployment.sites, primary: standby },
  };
  return bringFiles(
    {
      ...{ worker: 'primary', deployment, site: standby, signal: new AbortController().signal },
      input: { ...backupStepOf(scene, 'bring-files', 'latest', 'primary'), run: `bak-${sets}` },
      secret: async (reference) =>
        new Secret((await readFile(reference.slice('file:'.length), 'utf8')).trimEnd()),
      progress: () => undefined,
    },
    () => Promise.resolve(lock),
  );
}

const confThere = async (): Promise<Record<string, unknown>> =>
  JSON.parse(await readFile(own('tyk.conf'), 'utf8')) as Record<string, unknown>;
const leftBehind = async (): Promise<string[]> =>
  (await readdir(own())).filter((name) => name.startsWith('.tyk-dr'));

test('a run that has the lock, or a site that follows nobody, is left alone', async () => {
  expect(await bring('fo-1')).toMatchObject({
    left: ['gw1'],
    summary: expect.stringContaining('fo-1') as string,
  });
  expect(await readdir(own())).toEqual([]);
  await removeStandbyMark(standby.stateDir);
  expect((await bring()).summary).toBe('primary follows no site: left alone');
  expect(await readdir(own())).toEqual([]);
  await follow();
});

test('what the standby lacks is brought and rewritten to it; what is equal is not touched', async () => {
  expect(await bring()).toMatchObject({ brought: ['gw1'] });
  const port = Number(new URL(standby.gateways[0]!.url).port);
  expect(await confThere()).toMatchObject({
    ...{ listen_port: port, enable_jsvm: true, app_path: own('apps') },
  });
  expect(await readFile(own('middleware', 'auth.js'), 'utf8')).toBe('first');
  const before = (await stat(own('tyk.conf'))).ino;
  expect(await bring()).toEqual({
    summary: expect.stringMatching(/^primary has the files of 20260101T000001Z/) as string,
    observed: true,
  });
  expect((await stat(own('tyk.conf'))).ino).toBe(before);
  expect(await leftBehind()).toEqual([]);
  // Stopped, it stays so: a pilot light burns low.
  expect(await readFile(commands, 'utf8')).toBe('stop\n');
});

test('a Gateway that runs reloads what lies beside its file, and is started again for the file itself', async () => {
  await writeFile(commands, 'start\n');
  await writeFiles(scene.gateway, { 'middleware/auth.js': 'second', 'middleware/new.js': 'new' });
  await seal();
  expect((await bring()).summary).toMatch(/gw1 reloaded$/);
  expect(asked).toEqual(['/tyk/reload?block=true']);
  expect(await readdir(own('middleware'))).toEqual(['auth.js', 'new.js']);
  expect(await readFile(commands, 'utf8')).toBe('start\n');

  await writeFiles(scene.gateway, { 'tyk.conf': { listen_port: 1, enable_jsvm: false } });
  await seal();
  expect((await bring()).summary).toMatch(/gw1 started again$/);
  expect(await readFile(commands, 'utf8')).toBe('start\nstop\nstart\n');
  expect(await confThere()).toMatchObject({ enable_jsvm: false });
  expect(await leftBehind()).toEqual([]);
});

test('what a Gateway does not take is put back, so that the next call brings it again', async () => {
  await writeFiles(scene.gateway, { 'middleware/auth.js': 'third' });
  await seal();
  refuses = true;
  await expect(bring()).rejects.toMatchObject({ code: 'PROOF_FAILED' });
  expect(await readFile(own('middleware', 'auth.js'), 'utf8')).toBe('second');
  expect(await leftBehind()).toEqual([]);
  refuses = false;
  expect((await bring()).summary).toMatch(/gw1 reloaded$/);
  expect(await readFile(own('middleware', 'auth.js'), 'utf8')).toBe('third');
});

test('a Gateway that does not start with its new file starts with its old one', async () => {
  const { service } = standby.gateways[0]!;
  const before = { ...service };
  Object.assign(service, {
    start: ['sh', '-c', `grep -q broken ${own('tyk.conf')} && exit 1; echo start >> ${commands}`],
  });
  await writeFiles(scene.gateway, { 'tyk.conf': { listen_port: 1, broken: true } });
  await seal();
  await writeFile(commands, 'start\n');
  await expect(bring()).rejects.toMatchObject({ code: 'SERVICE_FAILED' });
  expect(await readFile(commands, 'utf8')).toBe('start\nstop\nstart\n');
  expect(await confThere()).toMatchObject({ enable_jsvm: false });
  expect(await leftBehind()).toEqual([]);
  Object.assign(service, before);
});

test('a set that cannot be brought leaves nothing behind', async () => {
  await writeFiles(scene.gateway, { 'tyk.conf': 'no JSON' });
  await seal();
  await expect(bring()).rejects.toMatchObject({ code: 'FILE_UNREADABLE' });
  expect(await leftBehind()).toEqual([]);
  expect(await confThere()).toMatchObject({ enable_jsvm: false });
});

test('what an earlier call had put in place when it was killed is brought again, as nobody has read it', async () => {
  await writeFiles(scene.gateway, { 'tyk.conf': { listen_port: 1, enable_jsvm: true } });
  const set = await seal();
  const killed = placePaths(own(), 'bak-killed');
  await mkdir(killed.stagingDir);
  await bring();
  // As it was after the files were put in place and before anything was told of them.
  await writeFiles(killed.stagingDir, { 'tyk.conf': await readFile(own('tyk.conf')) });
  await placeEntries(killed, { run: 'bak-killed', step: 'bring-files/gw1', set }, ['tyk.conf']);
  // Those of a recovery are its own.
  const other = placePaths(own(), 'rec-1');
  await placeEntries(other, { run: 'rec-1', step: 'restore-gateway-config/gw1', set }, ['tyk.conf']);
  await writeFile(commands, 'start\n');
  expect((await bring('fo-1')).left).toEqual(['gw1']);
  expect((await bring()).summary).toMatch(/gw1 started again$/);
  expect(await leftBehind()).toEqual(['.tyk-dr-old-rec-1']);
});
