import { appendFile, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { configFile, keyFile, localUrl, siteDir, SITES } from '../../lab/layout.ts';
import { stop } from '../../lab/services.ts';
import { withClient } from '../../adapters/redis/client.ts';
import { redisOf } from '../../lab/connections.ts';
import { recordOf, TestLab } from '../harness/lab.ts';

/** A deployment without a Dashboard: Redis, saved by commands, and Gateways that read APIs and policies from files. */

let lab: TestLab;
let files: string[];
/** The first set; the second one holds a mistake in a plugin. */
let before: string;
const PLUGIN = 'middleware/audit.js';
beforeAll(async () => {
  lab = await TestLab.up('--mode', 'files');
  const config = await readFile(configFile(lab.lab), 'utf8');
  await writeFile(configFile(lab.lab), config.replaceAll(/^( +)redis:$/gm, '$&\n$1  method: commands'));
  for (const site of SITES) await lab.restartWorker(site);
  const gateway = siteDir(lab.lab, 'primary', 'gateways', 'gw1');
  files = await readdir(join(gateway, 'apps'));
  before = (JSON.parse(await lab.expect('backup', 'acme', '--json')) as { set: string }).set;
  await appendFile(join(gateway, PLUGIN), 'a mistake\n');
  await lab.expect('backup', 'acme');
  await lab.destroyPrimary();
});
afterAll(() => lab.down());

async function client(path: string, keyName?: string): Promise<number> {
  const key = keyName === undefined ? undefined : await readFile(keyFile(lab.lab, keyName), 'utf8');
  const headers: Record<string, string> = key === undefined ? {} : { Authorization: key.trim() };
  return (await fetch(`${localUrl(lab.lab.ports.traffic)}${path}`, { headers })).status;
}

test('two sets are compared, by file', async () => {
  const [newest] = (JSON.parse(await lab.expect('backup', 'list', '--json')) as { sets: { set: string }[] })
    .sets;
  const { exitCode, stdout } = await lab.run('config', 'diff', before, newest!.set);
  expect(exitCode).toBe(3);
  expect(stdout).toContain(`gateway-gw1\n  ~ ${PLUGIN}`);
});

test('a git reference that means nothing is refused before a run starts', async () => {
  const answer = await lab.recover('--config-ref', 'set/none', '--json');
  expect(answer).toMatchObject({ exitCode: 10, stdout: '' });
  expect(answer.stderr).toContain("has no tag, branch or commit 'set/none'");
});

test('is recovered from its files, with the configuration of an older set; what it lacks is said to be no part of it', async () => {
  const answer = await lab.recover('--on-failure', 'abort', '--json', '--config-ref', `set/${before}`);
  expect(answer.exitCode, answer.stdout.slice(-3000) + answer.stderr).toBe(0);
  const record = recordOf(answer);
  expect(record.configRef?.ref).toBe(`set/${before}`);
  expect(await readFile(siteDir(lab.lab, 'dr', 'gateways', 'gw1', PLUGIN), 'utf8')).not.toContain(
    'a mistake',
  );
  const apis = files.filter((name) => !name.endsWith('-oas.json')).length;
  for (const gateway of ['gw1', 'gw2'])
    expect(record.proofs).toContainEqual({
      step: 'prove-gateways',
      name: `${gateway}: loaded APIs`,
      verdict: 'pass',
      expected: `${apis} ids`,
      actual: `${apis} ids`,
    });
  expect(record.proofs.find((proof) => proof.name.includes('unreachable upstream'))?.verdict).toBe('pass');
  const text = await lab.expect('report', record.run);
  expect(text).toMatch(/restore-redis-data .* \d+ keys put into Redis/);
  expect(text).toContain('dashboard: not part of this deployment');
  expect(text).toMatch(/- restore-database-data +not part of this deployment/);
  const html = await lab.expect('report', record.run, '--format', 'html');
  expect(html).toMatch(/restore-database-data<\/td>\s*<td[^>]*>not part of this deployment/);
  expect(await readdir(siteDir(lab.lab, 'dr', 'gateways', 'gw2', 'apps'))).toEqual(files);
  // What marked it as ours while it was filled has gone at close-out.
  expect(await withClient(await redisOf(lab.lab, 'dr'), (redis) => redis.exists('tyk-dr:restore'))).toBe(0);
});

test('serves its keys, and its policies apply', async () => {
  expect(await client('/api-0/')).toBe(200);
  expect(await client('/api-1/', 'probe-good')).toBe(200);
  expect(await client('/api-1/', 'probe-wrong')).toBe(403);
});

test('an upstream that the target cannot reach is found before a Gateway starts', async () => {
  await lab.resetDr();
  await stop(lab.lab, 'upstream');
  const before = await lab.starts();
  const answer = await lab.recover('--on-failure', 'abort');
  expect(answer.exitCode, answer.stdout + answer.stderr).toBe(12);
  expect(answer.stdout).toMatch(/dr cannot reach the upstreams of \d+ of \d+ active APIs/);
  expect((await lab.starts())['dr-gw1']).toBe(before['dr-gw1']);
});
