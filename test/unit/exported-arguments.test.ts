import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { exportedExample, EXPORTED_VARIANTS } from '../harness/exported.ts';

/** What a person types to an exported script, and answers it. Nothing of it may be guessed, and nothing begin by mistake. */

let folder: string;
let state: string;
let script: string;
let text: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tyk-dr-arguments-'));
  state = join(folder, 'state');
  script = join(folder, 'recover-paris.sh');
  const { files } = await exportedExample((deployment) => {
    EXPORTED_VARIANTS['files and pgBackRest']!(deployment);
    deployment.sites.paris.stateDir = state;
    deployment.backup['copies'] = [{ name: 'vault', remote: 'vault:bucket' }];
  });
  text = files['recover-paris.sh']!;
  await writeFile(script, text);
});
afterAll(() => rm(folder, { recursive: true }));

function run(args: readonly string[], input = ''): { code: number | null; said: string } {
  const { status, stdout, stderr } = spawnSync('bash', [script, ...args], { encoding: 'utf8', input });
  return { code: status, said: stdout + stderr };
}

describe('arguments', () => {
  test.each<[string, string[], string]>([
    ['no reason', ['--fence-here'], '--reason is missing'],
    ['a blank reason', ['--reason', ' ', '--fence-here'], '--reason wants a value'],
    ['no value', ['--set'], '--set wants a value'],
    ['an unknown one', ['--foo'], "unknown argument '--foo'"],
    ['a word', ['recover'], "unknown argument 'recover'"],
    ['a foreign site', ['--from', 'berlin'], 'expected one of london paris'],
    ['the target itself', ['--from', 'paris'], 'say --in-place'],
    ['a set that is a path', ['--set', '../x', '--check'], 'expected an id'],
    ['a set with a command', ['--set', '$(id)', '--check'], 'expected an id'],
    ['half a time', ['--before', '2026-11-24', '--check'], 'expected a time'],
    ['a time of words', ['--occurred', 'yesterday', '--check'], 'expected a time'],
    ['an identity that is not there', ['--identity', '/nowhere', '--check'], 'cannot be read'],
    ['a secret without a file', ['--secret', 'env:X', '--check'], 'expected REFERENCE=/path'],
    ['a copy that is none', ['--fetch', 'cloud', '--check'], 'expected one of: vault'],
    ['a folder that moves with us', ['--fetch-into', 'here', '--check'], 'expected an absolute path'],
    ['nobody to ask about the fence', ['--reason', 'x'], 'nobody can be asked about the fence of london'],
  ])('%s: refused with 2, and nothing is there afterwards', (_what, args, said) => {
    const end = run(args);
    expect(end.code, end.said).toBe(2);
    expect(end.said).toContain(said);
    expect(existsSync(state)).toBe(false);
  });

  test('--help names every argument that is taken', () => {
    const { code, said } = run(['--help']);
    expect(code).toBe(0);
    const taken = new Set(
      [...text.slice(text.indexOf('\narguments() {')).matchAll(/^ {6}(--[a-z-]+)\)/gm)].map(
        ([, name]) => name!,
      ),
    );
    expect([...taken].filter((name) => !said.includes(name))).toEqual([]);
    expect(taken.size).toBeGreaterThan(15);
  });

  test.each(Object.entries(EXPORTED_VARIANTS))('bash reads the whole of it: %s', async (name, change) => {
    const file = join(folder, `${name.length}.sh`);
    await writeFile(file, (await exportedExample(change)).files['recover-paris.sh']!);
    expect(spawnSync('bash', ['-n', file], { encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' });
  });
});

describe('giving up', () => {
  test('without a run is refused; of an unfinished one ends its log as ABORTED', async () => {
    const none = run(['--give-up', 'wrong site']);
    expect(none).toMatchObject({ code: 2, said: expect.stringContaining('no unfinished run') as string });
    const runs = join(state, 'by-script');
    const begin = {
      ...{ n: 1, at: 'x', event: 'begin', run: 'rec-20260101-000000-abcd', from: 'london', to: 'paris' },
      ...{ point: 'set', epoch: 5, configDigest: 'c'.repeat(64), occurred: '' },
    };
    await writeFile(join(runs, 'rec-20260101-000000-abcd.jsonl'), `${JSON.stringify(begin)}\n{"cut`);
    const given = run(['--give-up', 'it was the wrong site']);
    expect(given.code, given.said).toBe(12);
    const log = (await readFile(join(runs, 'rec-20260101-000000-abcd.jsonl'), 'utf8')).trimEnd().split('\n');
    expect(log.map((line) => JSON.parse(line) as object).slice(-2)).toMatchObject([
      { event: 'decision', kind: 'abort', reason: 'it was the wrong site' },
      { event: 'finish', outcome: 'ABORTED' },
    ]);
    expect(run(['--give-up', 'again']).code).toBe(2);
    expect((await readdir(runs)).sort()).toEqual(['lock', 'rec-20260101-000000-abcd.jsonl']);
  });
});

describe('the question about the fence', () => {
  /** `fence-source` alone, with what lies around it told. */
  function ask(answers: string): { code: number | null; said: string } {
    const file = join(folder, 'fence.sh');
    const told = [
      'say() { printf "%s\\n" "$*"; }; log_event() { echo "log $*"; }; changed_anything() { false; }',
      'fence_here() { EVIDENCE="stopped $1"; }; take_command() { echo "commands $2"; }; listens() { return 1; }',
      'STEP=fence-source FROM=london FENCE=ask ACTOR=ann FENCE_REASON=""; fence-source; echo "+ $SUMMARY"',
    ];
    const body = text.replace('\nmain "$@"\n', `\n${told.join('\n')}\n`);
    const { status, stdout, stderr } = spawnSync('bash', ['-c', body, file], {
      encoding: 'utf8',
      input: answers,
    });
    return { code: status, said: stdout + stderr };
  }

  test.each<[string, string, number, string]>([
    ['stop', 'stop\n', 0, '+ london: stopped london'],
    ['yes with a reason', 'yes\nits power is off\n', 0, '+ london: asserted by ann'],
    ['yes without one', 'yes\n \n', 10, 'nobody has said why london cannot write'],
    ['y', 'y\n', 10, 'london is not fenced'],
    ['Enter', '\n', 10, 'london is not fenced'],
    ['Ctrl-D', '', 10, 'london is not fenced'],
    ['Ctrl-D at the reason', 'yes\n', 10, 'nobody has said why london cannot write'],
  ])('answered with %s', (_what, answers, code, said) => {
    const end = ask(answers);
    expect(end.said).toContain(said);
    expect(end.code).toBe(code);
  });
});
