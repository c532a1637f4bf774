import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { callActivity } from '../../harness/activity.ts';
import { signSet, stepOf, writeDeployment, type TestDeployment } from '../../harness/deployment.ts';

/** What a failing tool wrote reaches the person who decides, and no secret of the host with it. */

let scene: TestDeployment;
let planted: string[];

beforeAll(async () => {
  const dir = await mkdtemp(join(tmpdir(), 'tyk-dr-output-'));
  scene = await writeDeployment(dir, {});
  await mkdir(join(dir, 'dr', 'state'), { recursive: true });
  await signSet(scene, { set: '20261124T031500Z-1f2e' });
  // One that stands in the configuration and that no step of this run reads, one in a file of many lines, and one
  // that only its name gives away.
  const key = scene.keys.operational.reveal();
  planted = [scene.keys.signing.reveal().split('\n')[1]!, key.split('\n').at(-1)!, 'gX7-not-in-any-file'];
  const script = join(dir, 'status.sh');
  await writeFile(
    script,
    [
      '#!/bin/sh',
      'yes "a line of no use" | head -n 400',
      `cat ${join(dir, 'keys', 'signing')} ${join(dir, 'keys', 'age')} >&2`,
      `echo "connecting with password=${planted[2]!}" >&2`,
      'echo "FATAL: the disk is on fire" >&2',
      'exit 1',
    ].join('\n'),
    { mode: 0o755 },
  );
  const config = parse(await readFile(scene.configFile, 'utf8')) as {
    deployments: { acme: { sites: { dr: { gateways: { service: { status: string[] } }[] } } } };
  };
  config.deployments.acme.sites.dr.gateways[0]!.service.status = [script];
  await writeFile(scene.configFile, stringify(config));
});
afterAll(() => rm(scene.dir, { recursive: true }));

test('the last lines travel with the failure, whole and short, and every planted secret is gone', async () => {
  const { error } = await callActivity({
    configFile: scene.configFile,
    activity: 'claim-target',
    input: stepOf(scene, { run: 'rec-1', step: 'claim-target', set: '20261124T031500Z-1f2e' }),
  });
  expect(error?.code).toBe('SERVICE_FAILED');
  const { output = '' } = error!.details ?? {};
  expect(output).toMatch(/FATAL: the disk is on fire$/);
  expect(output).toContain('password=[redacted]');
  expect(output).toContain('a line of no use');
  expect(Buffer.byteLength(output)).toBeLessThanOrEqual(4096);
  // The message is one line that says how it ended; the rest is beside it.
  expect(error!.message).toMatch(/FATAL: the disk is on fire$/);
  expect(error!.message).not.toContain('\n');
  for (const secret of planted)
    for (const text of [output, error!.message])
      expect(text.includes(secret), `${secret} is shown`).toBe(false);
});
