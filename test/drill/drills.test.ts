import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { leaseFile } from '../../adapters/host/epoch.ts';
import { listFolders, listingChanges, type Listing } from '../../adapters/host/listing.ts';
import { lockId } from '../../domain/messages.ts';
import type { RunRecord } from '../../domain/run.ts';
import { killService } from '../../lab/break.ts';
import { configFile, siteDir, sitePort } from '../../lab/layout.ts';
import { stop } from '../../lab/services.ts';
import { recordOf, TestLab, type Answer } from '../harness/lab.ts';

/** Drills as an operator runs them, while clients are served: they harm nothing, end, and leave nothing. */

let lab: TestLab;
let before: Listing;
const children: ChildProcess[] = [];

beforeAll(async () => {
  lab = await TestLab.up();
  const path = configFile(lab.lab);
  const config = parse(await readFile(path, 'utf8')) as { deployments: { acme: Record<string, unknown> } };
  config.deployments.acme['drill'] = { site: 'dr', halt: { patience: '1s' } };
  await writeFile(path, stringify(config));
  for (const site of ['primary', 'dr'] as const) await lab.restartWorker(site);
  await lab.expect('backup', 'acme');
  before = await listed();
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  // Whatever came of a drill: its site is as it was, nothing of it runs, and clients have noticed nothing.
  expect(listingChanges(before, await listed())).toEqual([]);
  const status = await lab.expect('lab', '--dir', lab.lab.dir, 'status');
  expect(status.split('\n').filter((line) => /^dr-.*running/.test(line))).toEqual([]);
});
afterAll(() => lab.down());

/** All of the drill's site but the lease, which stays as that of any run. */
const listed = (): Promise<Listing> =>
  listFolders([siteDir(lab.lab, 'dr')], (path) => {
    return path === leaseFile(siteDir(lab.lab, 'dr', 'state'));
  }).then(({ [siteDir(lab.lab, 'dr', 'gateways')]: _parent, ...rest }) => rest);

const drill = (...args: string[]): Promise<Answer> => lab.run('drill', 'acme', ...args, '--json');
const REDIS = ['--type', 'component', '--component', 'redis'];

/** Starts one, and waits for a step of it to be under way or done. */
async function begin(
  step: string,
  ...args: string[]
): Promise<{ run: string; end: () => Promise<RunRecord> }> {
  const run = (await lab.expect('drill', 'acme', ...args, '--detach')).trim();
  await lab.withClient(async (client) => {
    const handle = client.workflow.getHandle(lockId('acme'));
    await expect
      .poll(
        async () => {
          const { steps } = await handle.query<RunRecord>('record');
          return steps.find(({ id }) => id === step)!.state;
        },
        { timeout: 60_000, interval: 50 },
      )
      .toMatch(/running|done/);
  });
  return { run, end: async () => recordOf(await lab.run('status', run, '--watch', '--json')) };
}

function expectHarmless({ drill: shown, exceptions }: RunRecord): void {
  expect(shown!.untouched, exceptions.join('; ')).toMatchObject({ verdict: 'pass' });
  expect(shown!.leaks).toMatchObject({ verdict: 'pass', left: [] });
}

test('a full drill recovers beside the live site, which serves on, and is told as a drill', async () => {
  const { run, end } = await begin('claim-target', '--type', 'full');
  // What runs there is nobody's site: a backup takes the live one, and people are told what it is.
  expect(await lab.expect('backup', 'acme', '--no-verify')).toContain('of primary');
  const record = await end();
  expect(record.outcome, JSON.stringify(record.exceptions)).toBe('RECOVERED');
  expectHarmless(record);
  expect(record.drill!.untouched!.looks.map(({ what }) => what)).toEqual(
    expect.arrayContaining(['redis: run', 'database: WAL position (bytes)', 'dashboard: configuration']),
  );
  expect(await lab.expect('lab', '--dir', lab.lab.dir, 'status')).toMatch(/clients: 0 of [1-9]/);
  expect(await lab.expect('report', run)).toMatch(/drill/i);
  expect(await lab.expect('history', 'acme')).toContain(run);
});

test('a simulated human error is noticed in the copy, and recovered from', async () => {
  const answer = await drill('--type', 'simulation', '--scenario', 'human-error');
  const record = recordOf(answer);
  expect(record.outcome, JSON.stringify(record.exceptions)).toMatch(/^RECOVERED/);
  expectHarmless(record);
  expect(record.clock.slice(0, 4).map(({ name }) => name)).toEqual([
    ...['occurred', 'detected', 'declared', 'started'],
  ]);
});

test('a worker that is killed in the middle of it holds it up, and no more', async () => {
  const { end } = await begin('restore-database-data', '--type', 'component', '--component', 'database');
  await killService(lab.lab, 'worker-dr');
  await lab.startWorker('dr');
  const record = await end();
  expect(record.outcome, JSON.stringify(record.exceptions)).toMatch(/^RECOVERED/);
  // Of what it has brought back, and of no store that it never started.
  expect(record.losses!.map(({ store }) => store)).toEqual(['database']);
  expectHarmless(record);
});

test('one whose run is terminated lies in the way of a recovery until it is cleaned up', async () => {
  const { run } = await begin('start-redis', ...REDIS);
  await lab.terminate('acme');
  const refused = await lab.recover();
  expect(refused.stdout + refused.stderr).toContain(run);
  expect(refused.stdout + refused.stderr).toContain('tyk-dr drill cleanup');
  expect(await lab.expect('drill', 'cleanup', 'acme')).toContain(`what ${run} had made on dr is taken back`);
  expect(await lab.expect('drill', 'cleanup', 'acme')).toContain('nothing is left of a drill on dr');
});

describe('a drill ends at once', () => {
  test('when the live site is in trouble', async () => {
    const { end } = await begin('claim-target', '--type', 'full');
    await stop(lab.lab, 'primary-gw2');
    const record = await end();
    await lab.revive('primary-gw2');
    expect(record.outcome, JSON.stringify(record.exceptions)).toBe('ABORTED');
    expect(record.decisions.at(-1)!.reason).toMatch(/live site is in trouble: gateway gw2 of primary/);
    // The stopped Gateway is another process now, or none: that is seen, and said.
    expect(record.drill!.untouched!.verdict).toBe('fail');
    expect(record.drill!.leaks!.verdict).toBe('pass');
  });

  test('when something of it is connected to the live Redis', async () => {
    const code = `require('node:net').connect(${sitePort(lab.lab, 'primary', 'redis')}, '127.0.0.1', () => console.log('there'))`;
    const stray = spawn(process.execPath, ['-e', code], {
      ...{ cwd: siteDir(lab.lab, 'dr', 'redis', 'data'), stdio: ['ignore', 'pipe', 'inherit'] },
    });
    children.push(stray);
    await once(stray.stdout, 'data');
    const record = recordOf(await drill(...REDIS));
    expect(record.outcome).toBe('FAILED_UNDONE');
    expect(record.error!.message).toMatch(/is connected to the live site: redis of primary/);
    expectHarmless(record);
  });
});
