import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';

/** The completion as a real bash does it, with the program as it is built, without Temporal. */

const BIN = fileURLToPath(new URL('../../bin', import.meta.url));
let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tyk-dr-test-'));
  await mkdir(join(dir, 'sets', 'orders', 'runs'), { recursive: true });
  await writeFile(join(dir, 'sets', 'orders', 'runs', 'rec-20260101-000000-0001.json'), '{}');
  // Beside each record lies its plan, which is no run.
  await writeFile(join(dir, 'sets', 'orders', 'runs', 'rec-20260101-000000-0001.plan.json'), '{}');
  // Not even a valid configuration: somebody may be in the middle of writing it.
  await writeFile(
    join(dir, 'tyk-dr.yaml'),
    `deployments:\n  orders: { backup: { repository: ${dir}/sets }, sites: { london: {}, paris: {} } }\n  payments:\n`,
  );
  await execa('ln', ['-s', join(BIN, 'tyk-dr.js'), join(dir, 'tyk-dr')]);
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** What bash would offer when Tab is pressed at the end of the line. */
async function offered(script: string, line: string): Promise<string[]> {
  const words = line.split(' ');
  const { stdout } = await execa(
    'bash',
    [
      '-c',
      `${script}\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _tyk_dr; printf '%s\\n' "\${COMPREPLY[@]}"`,
      'bash',
      ...words,
    ],
    { cwd: dir, env: { PATH: `${dir}:${process.env['PATH']}`, TYK_DR_CONFIG: '' }, extendEnv: true },
  );
  return stdout.split('\n').filter(Boolean);
}

test('bash is offered commands, deployments, sites and kept runs', async () => {
  const { stdout: script } = await execa(process.execPath, [join(BIN, 'tyk-dr.js'), 'completion', 'bash']);
  const lines = ['tyk-dr rep', 'tyk-dr recover ', 'tyk-dr recover orders --to ', 'tyk-dr report rec'];
  const [commands, deployments, sites, runs] = await Promise.all(lines.map((line) => offered(script, line)));
  expect(commands!.sort()).toEqual(['replicate', 'report']);
  expect(deployments).toEqual(['orders', 'payments']);
  expect(sites).toEqual(['london', 'paris']);
  expect(runs).toEqual(['rec-20260101-000000-0001']);
});

const hasFish = spawnSync('fish', ['--version']).status === 0;

test.skipIf(!hasFish)('fish is offered the same, and files only where there is nothing else', async () => {
  const { stdout: script } = await execa(process.execPath, [join(BIN, 'tyk-dr.js'), 'completion', 'fish']);
  await writeFile(join(dir, 'rep.txt'), '');
  const complete = async (line: string): Promise<string[]> => {
    const { stdout } = await execa('fish', ['-c', `${script}\ncomplete -C "${line}"`], {
      ...{ cwd: dir, env: { PATH: `${dir}:${process.env['PATH']}`, TYK_DR_CONFIG: '' } },
    });
    return stdout.split('\n').filter(Boolean);
  };
  const lines = ['tyk-dr rep', 'tyk-dr recover orders --to ', 'tyk-dr --config re'];
  const [commands, sites, files] = await Promise.all(lines.map(complete));
  expect(commands!.map((line) => line.split('\t')[0]).sort()).toEqual(['replicate', 'report']);
  expect(sites!.map((line) => line.split('\t')[0])).toEqual(['london', 'paris']);
  expect(files).toEqual(['rep.txt']);
});

test('without a configuration there are still the commands, and never an error on the screen', async () => {
  const { stdout, stderr, exitCode } = await execa(
    process.execPath,
    [join(BIN, 'tyk-dr.js'), '__complete', '--config', '/nowhere', 'recover', ''],
    { reject: false },
  );
  expect({ stdout, stderr, exitCode }).toEqual({ stdout: '', stderr: '', exitCode: 0 });
});
