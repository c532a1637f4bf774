import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { trafficScene, type TrafficScene } from '../../harness/traffic.ts';

/** Clients led by programs of the owner: files, of which `status` shows what the others have written. */

let dir: string;
let scene: TrafficScene;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tyk-dr-command-test-'));
  await writeFile(join(dir, 'shares'), 'primary\n');
});
afterEach(async () => {
  await scene.close();
  await rm(dir, { recursive: true });
});

/** Two sites: what the one gets the other loses. Each call is written down. */
const SWITCH = `echo "$TYK_DR_SITE $TYK_DR_PERCENT $TYK_DR_RUN" >>calls
if [ "$TYK_DR_SITE" = dr ]; then other=primary; else other=dr; fi
printf '%s %s\\n%s %s\\n' "$TYK_DR_SITE" "$TYK_DR_PERCENT" "$other" $((100 - TYK_DR_PERCENT)) >shares`;
const sh = (script: string): string[] => ['sh', '-c', `cd ${dir} && ${script}`];

async function set(changes: object = {}): Promise<void> {
  scene = await trafficScene({
    ...{ kind: 'command', switch: sh(SWITCH), status: sh('cat shares'), url: 'http://127.0.0.1:9' },
    ...changes,
  });
}
const calls = async (): Promise<string[]> =>
  (await readFile(join(dir, 'calls'), 'utf8').catch(() => '')).split('\n').filter(Boolean);

test('is told the site, the share and the run; called again it does nothing; and is taken back', async () => {
  await set();
  expect((await scene.call('switch-traffic')).result).toMatchObject({
    summary: 'dr has 100 %, its status command says',
    observed: false,
  });
  expect((await scene.call('switch-traffic')).result).toMatchObject({ observed: true });
  expect((await scene.call('prove-traffic')).result?.proofs?.[0]).toMatchObject({
    verdict: 'pass',
    actual: 'dr 100 %',
  });
  expect((await scene.call('undo-traffic')).result?.summary).toContain('put back: primary has 100 %');
  expect(await calls()).toEqual(['dr 100 rec-1', 'primary 100 rec-1']);
});

test('goes by shares while the other site serves', async () => {
  await set({ steps: [10, 50, 100], hold: '50ms' });
  const { result } = await scene.call('switch-traffic', { serving: true });
  expect(await calls()).toEqual(['dr 10 rec-1', 'dr 50 rec-1', 'dr 100 rec-1']);
  expect(result?.proofs?.map(({ name, verdict }) => `${name} ${verdict}`)).toEqual([
    'at 10 %: the share of the target pass',
    'at 10 %: outside address not-measured',
    'at 50 %: the share of the target pass',
    'at 50 %: outside address not-measured',
  ]);
});

test('never gives the target less than it has: a share that it has is where the steps go on', async () => {
  await set({ steps: [10, 100], hold: '50ms' });
  await writeFile(join(dir, 'shares'), 'primary 50\ndr 50\n');
  await scene.call('switch-traffic', { serving: true });
  expect(await calls()).toEqual(['dr 100 rec-1']);
});

test('a probe that fails at a share puts the clients back', async () => {
  scene = await trafficScene(
    {
      ...{ kind: 'command', switch: sh(SWITCH), status: sh('cat shares'), url: 'http://127.0.0.1:9' },
      ...{ steps: [10, 100], hold: '50ms' },
    },
    [{ name: 'api', path: '/api' }],
  );
  const { error } = await scene.call('switch-traffic', { serving: true });
  expect(error).toMatchObject({ code: 'TRAFFIC_FAILED' });
  expect(error?.message).toMatch(/failed at 10 %: api: GET \/api: .*; put back: primary has 100 %/);
  expect(await calls()).toEqual(['dr 10 rec-1', 'primary 100 rec-1']);
});

test('a switch that ends well and has done nothing is not believed', async () => {
  await set({ switch: ['true'], holdsWithin: '300ms' });
  const { error } = await scene.call('switch-traffic');
  expect(error).toMatchObject({ code: 'TRAFFIC_FAILED' });
  expect(error?.message).toContain('the switch command ended well, and dr has 0 %, not 100 %');
});

test('a switch that fails tells how, and what it wrote, without secrets', async () => {
  await set({ switch: sh('echo "the provider says no; password=hunter2-secret" >&2; exit 3') });
  const { error } = await scene.call('switch-traffic');
  expect(error).toMatchObject({ code: 'TRAFFIC_FAILED' });
  expect(error?.message).toContain('the switch command ended with exit code 3');
  expect(error?.details?.output).toContain('the provider says no');
  expect(JSON.stringify(error)).not.toContain('hunter2-secret');
});

describe('a status that tells nothing to go by', () => {
  test.each([
    ['nothing', ': ', 'nothing; expected the name of a site'],
    ['an unknown site', 'echo rome', 'something else than SITE or SITE PERCENT, of primary, dr'],
    ['two sites without shares', 'printf "primary\\ndr\\n"', 'something else than'],
    ['too much', 'printf "primary 90\\ndr 90\\n"', 'primary 90 %, dr 90 %, more than all'],
    ['a failure', 'exit 1', 'the status command ended with exit code 1'],
  ])('%s', async (_what, status, reason) => {
    await set({ status: sh(status) });
    await expect(scene.driver().check('dr')).rejects.toThrow(reason);
    expect((await scene.call('switch-traffic')).error).toMatchObject({ code: 'TRAFFIC_FAILED' });
    expect(await calls()).toEqual([]);
  });
});

describe('rebuilt in place', () => {
  test('holdOut keeps the clients away, and its status is asked', async () => {
    await writeFile(join(dir, 'shares'), 'dr\n');
    await set({ holdOut: sh('printf "%s 0\\n" "$TYK_DR_SITE" >shares') });
    expect((await scene.call('hold-traffic')).result).toMatchObject({ observed: false });
    expect((await scene.call('hold-traffic')).result).toMatchObject({
      summary: 'dr had no traffic',
      observed: true,
    });
  });

  test('without it that is an exception', async () => {
    await writeFile(join(dir, 'shares'), 'dr\n');
    await set();
    expect((await scene.call('hold-traffic')).result?.exception).toContain(
      'no holdOut command is configured',
    );
  });
});
