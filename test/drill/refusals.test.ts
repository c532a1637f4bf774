import {
  appendFile,
  chmod,
  copyFile,
  cp,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { configFile, keyFile, outside, siteDir, sitePort } from '../../lab/layout.ts';
import { start, stop } from '../../lab/services.ts';
import { TestLab, type Answer } from '../harness/lab.ts';

/** What must be refused is refused before anything is touched: exit 10, in words that say what to do. */

let lab: TestLab;
let set: string;
const undo: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  lab = await TestLab.up();
  await lab.expect('backup', 'acme');
  set = (await readdir(outside(lab.lab, 'sets', 'acme'))).find(
    (name) => name.endsWith('Z') || /Z-/.test(name),
  )!;
});
afterAll(() => lab.down());
afterEach(async () => {
  for (const restore of undo.splice(0).reverse()) await restore();
});

const inSet = (name: string): string => outside(lab.lab, 'sets', 'acme', set, name);

/** Changes a file for one test. */
async function damage(path: string, change: (path: string) => Promise<unknown>): Promise<void> {
  const copy = `${path}.kept`;
  await copyFile(path, copy);
  undo.push(() => rename(copy, path));
  await change(path);
}

async function flipByte(path: string, at: number): Promise<void> {
  const bytes = await readFile(path);
  bytes[at < 0 ? bytes.length + at : at]! ^= 0x01;
  await writeFile(path, bytes);
}

/** Every trace that an effect would leave. */
async function traces(): Promise<unknown> {
  const exists = (path: string) =>
    stat(path).then(
      () => true,
      () => false,
    );
  return {
    starts: await lab.starts(),
    fenced: await exists(siteDir(lab.lab, 'primary', 'state', 'fenced')),
    dr: await Promise.all(
      ['redis', 'postgres'].map(async (store) => (await readdir(siteDir(lab.lab, 'dr', store))).sort()),
    ),
    drDashboard: await exists(siteDir(lab.lab, 'dr', 'dashboard')),
  };
}

async function refused(args: readonly string[] = [], before?: unknown): Promise<Answer> {
  const earlier = before ?? (await traces());
  const answer = await lab.recover('--on-failure', 'abort', ...args);
  expect(answer.exitCode, answer.stdout + answer.stderr).toBe(10);
  expect(await traces()).toEqual(earlier);
  return answer;
}

describe('a backup set is refused', () => {
  test('when its manifest was altered', async () => {
    await damage(inSet('manifest.json'), (path) => appendFile(path, ' '));
    expect((await refused(['--backup', set])).stdout).toContain(
      'the content was changed after it was signed',
    );
  });

  test('when it has no signature, and is passed over by latest', async () => {
    await damage(inSet('manifest.json.sig'), (path) => rm(path));
    expect((await refused(['--backup', set])).stdout).toContain('has no signature');
    expect((await refused()).stdout).toContain('no usable backup set');
  });

  test('when it belongs to another deployment', async () => {
    const foreign = '20990101T000000Z-beef';
    const folder = outside(lab.lab, 'sets', 'acme', foreign);
    await cp(outside(lab.lab, 'sets', 'acme', set), folder, { recursive: true });
    undo.push(() => rm(folder, { recursive: true }));
    expect((await refused(['--backup', foreign])).stdout).toContain(`it is the manifest of ${set}`);
  });

  test.each([
    [
      'flipped in the middle',
      async (path: string) => flipByte(path, Math.floor((await stat(path)).size / 2)),
    ],
    ['flipped at its end', (path: string) => flipByte(path, -1)],
    ['truncated', async (path: string) => truncate(path, (await stat(path)).size - 100)],
    ['missing', (path: string) => rm(path)],
  ] as const)('when an object is %s', async (_how, change) => {
    await damage(inSet('redis.zst.age'), change);
    expect((await refused(['--backup', set])).stdout).toMatch(
      /object redis of backup set .* is (damaged|missing)/,
    );
  });

  test('when a file of the database repository is flipped', async () => {
    const { stdout } = await execa('find', [
      outside(lab.lab, 'pgbackrest'),
      '-name',
      '*.zst',
      '-size',
      '+20k',
    ]);
    await damage(stdout.split('\n')[0]!, (path) => flipByte(path, 5_000));
    await execa('chown', ['--reference', outside(lab.lab, 'pgbackrest'), stdout.split('\n')[0]!]);
    expect((await refused(['--backup', set])).stdout).toContain('its SHA-256 differs');
  });

  test('when our age identity does not open it', async () => {
    await damage(keyFile(lab.lab, 'age-operational'), async (path) => {
      const { stdout } = await execa('age-keygen');
      await writeFile(path, `${stdout}\n`);
    });
    expect((await refused(['--backup', set])).stdout).toContain('does not open backup set');
  });

  test('when there is none of that name', async () => {
    expect((await refused(['--backup', '20200101T000000Z-0000'])).stdout).toContain('has no manifest');
  });
});

describe('a target is refused', () => {
  test('when it serves', async () => {
    await mkdir(siteDir(lab.lab, 'dr', 'redis', 'data'), { recursive: true });
    await start(lab.lab, 'dr-redis');
    undo.push(() => stop(lab.lab, 'dr-redis'));
    expect((await refused([], await traces())).stdout).toContain('redis of site dr is running');
    const toPrimary = await lab.run(
      'recover',
      'acme',
      '--to',
      'primary',
      '--from',
      'dr',
      '--reason',
      'a mistake',
    );
    expect(toPrimary.exitCode).toBe(10);
    expect(toPrimary.stdout).toContain('of site primary is running');
  });

  test('when one of its ports is taken', async () => {
    const server = createServer().listen(sitePort(lab.lab, 'dr', 'gw2'), '127.0.0.1');
    undo.push(() => new Promise((resolve) => server.close(resolve)));
    expect((await refused()).stdout).toContain(
      `port ${sitePort(lab.lab, 'dr', 'gw2')} of gateway gw2 on dr is taken`,
    );
  });

  test('when its disk is too small', async () => {
    const data = siteDir(lab.lab, 'dr', 'redis', 'data');
    await mkdir(data, { recursive: true });
    await execa('mount', ['-t', 'tmpfs', '-o', 'size=128k', 'tmpfs', data]);
    undo.push(() => execa('umount', [data]));
    expect((await refused()).stdout).toMatch(/has \d+ bytes free; \d+ are needed/);
  });

  test.each([
    [
      'PostgreSQL is of another major version',
      'binDir: /usr/lib/postgresql/15/bin',
      'postgres',
      'postgres (PostgreSQL) 16.4',
      (folder: string) => `binDir: ${folder}`,
      'cannot start a backup of PostgreSQL 15',
    ],
    [
      'Redis is too old for the RDB',
      undefined,
      'redis-server',
      'Redis server v=6.0.16 sha=0',
      (folder: string) => `binary: ${folder}/redis-server`,
      'cannot load an RDB of version 10',
    ],
    [
      'a tool is missing',
      undefined,
      undefined,
      '',
      () => 'binary: /nowhere/redis-server',
      '/nowhere/redis-server is not installed',
    ],
  ] as const)('when %s', async (_why, replaced, program, prints, setting, message) => {
    const folder = join(lab.lab.dir, 'fake-bin');
    await mkdir(folder, { recursive: true });
    if (program !== undefined) {
      await writeFile(join(folder, program), `#!/bin/sh\necho '${prints}'\n`);
      await chmod(join(folder, program), 0o755);
    }
    undo.push(() => lab.restartWorker('dr'));
    await damage(configFile(lab.lab), async (path) => {
      const text = await readFile(path, 'utf8');
      // The dr site comes last in the file.
      const at =
        replaced === undefined
          ? text.lastIndexOf('redis:\n') + 'redis:\n'.length
          : text.lastIndexOf(replaced);
      const indented = replaced === undefined ? `          ${setting(folder)}\n` : setting(folder);
      await writeFile(path, text.slice(0, at) + indented + text.slice(at + (replaced?.length ?? 0)));
    });
    await lab.restartWorker('dr');
    const { starts, ...rest } = (await traces()) as { starts: unknown };
    const answer = await lab.recover('--on-failure', 'abort');
    expect(answer.exitCode, answer.stdout + answer.stderr).toBe(10);
    expect(answer.stdout).toContain(message);
    expect(await traces()).toMatchObject(rest);
    expect(starts).toBeDefined();
  });
});

describe('a start is refused', () => {
  test('when a worker has another configuration', async () => {
    await damage(configFile(lab.lab), async (path) =>
      writeFile(path, (await readFile(path, 'utf8')).replace('tier: critical', 'tier: important')),
    );
    expect((await refused()).stderr).toMatch(/has another configuration .* than the plan/);
  });

  test('within ten seconds when no worker answers', async () => {
    await stop(lab.lab, 'worker-dr');
    undo.push(() => lab.restartWorker('dr'));
    const startedAt = performance.now();
    const answer = await lab.recover();
    expect(answer.exitCode).toBe(10);
    expect(performance.now() - startedAt).toBeLessThan(10_000);
    expect(answer.stderr).toContain('no worker answers on the task queue tyk-dr.dr');
    expect(answer.stderr).toContain('tyk-dr worker');
  });

  test('within ten seconds when no Temporal server answers', async () => {
    await stop(lab.lab, 'temporal');
    undo.push(() => start(lab.lab, 'temporal'));
    const startedAt = performance.now();
    const answer = await lab.recover();
    expect(answer.exitCode).toBe(10);
    expect(performance.now() - startedAt).toBeLessThan(10_000);
    expect(answer.stderr).toContain('no Temporal server answers');
  });

  test.each([
    [['recover', 'acme', '--to', 'mars', '--reason', 'x'], "no site 'mars'"],
    [['recover', 'other', '--to', 'dr', '--reason', 'x'], "no deployment 'other'"],
    [['recover', 'acme', '--to', 'dr', '--reason', ' '], '--reason'],
    [['recover', 'acme', '--to', 'dr', '--reason', 'x', '--occurred', 'yesterday'], 'a time with its zone'],
    [['recover', 'acme', '--to', 'dr', '--reason', 'x', '--scenario', 'flood'], 'one of infrastructure'],
    [
      ['recover', 'acme', '--to', 'dr', '--reason', 'x', '--scenario', 'corruption'],
      'a point before the damage',
    ],
    [['recover', 'acme', '--to', 'dr'], '--reason'],
    [['status', 'rec-20200101-000000-0000'], "no run 'rec-20200101-000000-0000'"],
  ])('with exit code 2 for bad usage: %j', async (args, message) => {
    const answer = await lab.run(...args);
    expect(answer.stderr).toContain(message);
    expect(answer.exitCode).toBe(2);
  });
});
