import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, chmod, mkdir, mkdtemp, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { eventually } from '../harness/gateway.ts';

const repository = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tyk-dr-setup-test-'));
});
afterEach(() => rm(folder, { recursive: true }));

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function run(program: string, args: string[], env: Record<string, string> = {}): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(program, args, { env: { ...process.env, ...env } }, (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code ?? -1) : 0, stdout, stderr });
    });
  });
}

/**
 * The installer is run on another root, with an apt-get that installs nothing but notes what Debian's maintainer
 * scripts would have found: whether services may start, and whether a cluster is made.
 */
describe('installing Debian packages', () => {
  const INSTALLER = repository('scripts/setup/debian-packages.sh');
  const policy = (): string => join(folder, 'usr/sbin/policy-rc.d');
  const cluster = (): string => join(folder, 'etc/postgresql-common/createcluster.conf');
  const seen = (): Promise<string> => readFile(join(folder, 'seen'), 'utf8');
  const environment = (): Record<string, string> => ({
    TYK_DR_SETUP_ROOT: folder,
    PATH: `${folder}/bin:${process.env['PATH']}`,
  });

  beforeEach(async () => {
    for (const name of ['bin', 'usr/sbin', 'etc/postgresql-common', 'run/lock']) {
      await mkdir(join(folder, name), { recursive: true });
    }
    await aptGet('exit 0');
    await writeFile(cluster(), '# create_main_cluster = true\n');
  });

  async function aptGet(end: string): Promise<void> {
    const note = `if ! echo "$*" | grep -q 'install .*redis'; then exit 0; fi
code=0; "${policy()}" redis-server start || code=$?
echo "policy $code; $(tail -n 1 "${cluster()}")" >"${folder}/seen"`;
    await writeFile(join(folder, 'bin/apt-get'), `#!/bin/sh\n${note}\n${end}\n`, { mode: 0o755 });
  }

  /** Everything about a file that somebody could miss. */
  async function portrait(path: string): Promise<unknown> {
    const { mode, uid, gid, mtimeMs, ino } = await stat(path);
    return { mode, uid, gid, mtimeMs, ino, content: await readFile(path, 'utf8') };
  }

  async function policyOfTheMachine(exitCode: number): Promise<void> {
    await writeFile(policy(), `#!/bin/sh\n# ours since 2009\nexit ${exitCode}\n`);
    await chmod(policy(), 0o751);
    await utimes(policy(), 1e9, 1e9);
  }

  test('starts no service and makes no cluster, and leaves no trace', async () => {
    const before = await portrait(cluster());
    const { code } = await run('sh', [INSTALLER, 'redis-server', 'postgresql'], environment());
    expect(code).toBe(0);
    expect(await seen()).toBe('policy 101; create_main_cluster = false\n');
    await expect(access(policy())).rejects.toThrow('ENOENT');
    expect(await portrait(cluster())).toEqual(before);
  });

  test.each([0, 101])("brings the machine's own policy (exit %d) back as it was", async (exitCode) => {
    await policyOfTheMachine(exitCode);
    const before = await portrait(policy());
    await run('sh', [INSTALLER, 'redis-server'], environment());
    expect(await seen()).toContain('policy 101');
    expect(await portrait(policy())).toEqual(before);
  });

  test('puts everything back when apt-get fails, and says so', async () => {
    await policyOfTheMachine(0);
    await aptGet('exit 100');
    const before = [await portrait(policy()), await portrait(cluster())];
    const { code } = await run('sh', [INSTALLER, 'redis-server', 'postgresql'], environment());
    expect(code).toBe(100);
    expect([await portrait(policy()), await portrait(cluster())]).toEqual(before);
  });

  /** Starts the installer in a process group of its own and waits until apt-get is at work. */
  async function interrupted(signal: NodeJS.Signals): Promise<void> {
    await aptGet('sleep 60 & trap "kill $!; exit 1" INT TERM; wait');
    const child = spawn('sh', [INSTALLER, 'redis-server', 'postgresql'], {
      env: { ...process.env, ...environment() },
      stdio: 'ignore',
      detached: true,
    });
    await eventually(seen);
    // As a terminal does it: the whole group gets the signal.
    process.kill(-child.pid!, signal);
    await once(child, 'exit');
  }

  test.each(['SIGINT', 'SIGTERM'] as const)('puts everything back on %s', async (signal) => {
    await policyOfTheMachine(0);
    const before = [await portrait(policy()), await portrait(cluster())];
    await interrupted(signal);
    expect([await portrait(policy()), await portrait(cluster())]).toEqual(before);
  });

  test('the next call puts back what a killed one could not', async () => {
    await policyOfTheMachine(0);
    const before = [await portrait(policy()), await portrait(cluster())];
    await interrupted('SIGKILL');
    expect(await portrait(policy())).not.toEqual(before[0]);
    await aptGet('exit 0');
    await run('sh', [INSTALLER, 'redis-server'], environment());
    expect([await portrait(policy()), await portrait(cluster())]).toEqual(before);
  });
});

describe('two set-ups at once', () => {
  const LOCK = repository('scripts/setup/lock.mjs');

  /** A process that takes a lock of the test's own, says so, and holds it until its standard input ends. */
  function holder(name: string) {
    const program = `
      const { withLock } = await import(${JSON.stringify(LOCK)});
      const work = async () => { console.log('working'); for await (const _ of process.stdin); };
      await withLock(() => console.log('waiting'), work, '\\0' + ${JSON.stringify(name)});`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program]);
    const said: string[] = [];
    child.stdout.on('data', (chunk: Buffer) => said.push(...chunk.toString().trim().split('\n')));
    return { child, said };
  }

  test.each(['ends', 'is killed'])('the second works once the first %s', async (how) => {
    const name = `tyk-dr-test-${folder}`;
    const first = holder(name);
    await eventually(() => expect(first.said).toEqual(['working']));
    const second = holder(name);
    await eventually(() => expect(second.said).toEqual(['waiting']));
    if (how === 'ends') first.child.stdin.end();
    else first.child.kill('SIGKILL');
    await eventually(() => expect(second.said).toEqual(['waiting', 'working']));
    second.child.stdin.end();
    await once(second.child, 'exit');
  });
});

test('without Go the set-up says so, says what to do, and exits 2', async () => {
  const { code, stderr } = await run(process.execPath, [repository('scripts/setup.mjs')], { PATH: folder });
  expect(code).toBe(2);
  expect(stderr).toMatch(/^error: Go is not on PATH.*\nhint: See https:\/\/go\.dev/);
});

test('a Go that is too old says so, even where it could fetch a newer one of itself', async () => {
  await writeFile(
    join(folder, 'go'),
    '#!/bin/sh\n[ "$GOTOOLCHAIN" = local ] && echo go version go1.25.9 linux/amd64 || echo go version go1.26.0\n',
    { mode: 0o755 },
  );
  const environment = { PATH: `${folder}:${process.env['PATH']}`, GOTOOLCHAIN: 'auto' };
  const { code, stderr } = await run(process.execPath, [repository('scripts/setup.mjs')], environment);
  expect(code).toBe(2);
  expect(stderr).toMatch(/^error: this is Go 1\.25\.9; the set-up needs Go 1\.26 or later/);
});

describe("the last line of the machine's test run", () => {
  const statuses = (...all: string[]) => ({
    status: all.includes('failed') ? 'failed' : 'passed',
    assertionResults: all.map((status) => ({ status })),
  });

  test.each([
    ['all passed', '0', [statuses('passed', 'passed')], 0, '2 passed, 0 failed\n'],
    ['some skipped', '0', [statuses('passed', 'skipped')], 0, '1 passed, 0 failed, 1 skipped\n'],
    ['one failed', '1', [statuses('passed', 'failed')], 1, '1 passed, 1 failed\n'],
    [
      'a file that broke',
      '1',
      [statuses('passed'), { status: 'failed', assertionResults: [] }],
      1,
      '1 passed, 1 failed\n',
    ],
    ['an error outside any test', '1', [statuses('passed')], 1, '1 passed, 1 failed\n'],
    ['none ran', '0', [], 1, '0 passed, 0 failed\n'],
  ])('%s', async (_what, exitCode, testResults, code, line) => {
    const report = join(folder, 'report.json');
    await writeFile(report, JSON.stringify({ testResults }));
    expect(
      await run(process.execPath, [repository('scripts/test-totals.mjs'), report, exitCode]),
    ).toMatchObject({
      code,
      stdout: line,
    });
  });
});
