import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { parse, stringify } from 'yaml';
import { main } from '../../cli/main.ts';
import type { RunRecord } from '../../domain/run.ts';
import { writeDeployment } from '../harness/deployment.ts';

/** A tabletop through the command line: without Temporal, without workers; what was said is kept, gaps are findings. */

const PROGRAM = join(import.meta.dirname, '../../bin/tyk-dr.js');
let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tyk-dr-tabletop-'));
  const { configFile } = await writeDeployment(dir, { redis: { port: 11, dataDir: join(dir, 'redis') } });
  const config = parse(await readFile(configFile, 'utf8')) as { deployments: { acme: object } };
  Object.assign(config.deployments.acme, {
    roles: {
      commander: { people: ['ann'], deputies: ['bob'] },
      communications: { people: ['eve', 'dora'] },
    },
  });
  await writeFile(configFile, stringify(config), { mode: 0o600 });
  await mkdir(join(dir, 'sets'));
  // Nobody is there: no part of a tabletop may need it.
  vi.stubEnv('TEMPORAL_ADDRESS', '127.0.0.1:1');
}, 60_000);
afterAll(() => {
  vi.unstubAllEnvs();
  return rm(dir, { recursive: true, force: true });
});

interface Said {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

/** In this process: a program takes a second to start, and only a session needs one of its own. */
async function tykDr(args: readonly string[]): Promise<Said> {
  const said = { stdout: '', stderr: '' };
  const spies = (['stdout', 'stderr'] as const).map((name) =>
    vi.spyOn(process[name], 'write').mockImplementation((text) => {
      said[name] += String(text);
      return true;
    }),
  );
  process.exitCode = 0;
  try {
    await main(['node', 'tyk-dr', '--config', join(dir, 'tyk-dr.yaml'), ...args]);
    return { ...said, exitCode: Number(process.exitCode) };
  } finally {
    process.exitCode = 0;
    for (const spy of spies) spy.mockRestore();
  }
}

const ARGS = ['drill', 'acme', '--type', 'tabletop', '--json'];
const tabletop = (args: readonly string[]): Promise<Said> => tykDr([...ARGS, ...args]);
async function session(args: readonly string[], input: string): Promise<Said> {
  const options = { reject: false, input } as const;
  const { stdout, stderr, exitCode } = await execa(
    'node',
    [PROGRAM, '--config', join(dir, 'tyk-dr.yaml'), ...ARGS, ...args],
    options,
  );
  return { stdout, stderr, exitCode: exitCode ?? -1 };
}
const recordOf = (stdout: string): RunRecord => JSON.parse(stdout) as RunRecord;
const gaps = ({ drill }: RunRecord): string[] =>
  drill!.tabletop!.items.flatMap(({ id, gap }) => (gap === undefined ? [] : [`${id}: ${gap}`]));

async function write(name: string, document: object): Promise<string> {
  const file = join(dir, name);
  await writeFile(file, stringify(document));
  return file;
}

const ALL = [
  ...['who-declares', 'objectives', 'command', 'key', 'fence', 'source-silent', 'set-damaged'],
  ...['redis-proof', 'gateways-proof', 'rto-80', 'who-tells', 'what-is-kept'],
];
const answered = (except: readonly string[] = []): Record<string, string> =>
  Object.fromEntries(ALL.filter((id) => !except.includes(id)).map((id) => [id, `about ${id}`]));

describe('a tabletop on paper', () => {
  test('is kept with people, answers and gaps; its gaps are findings, and evidence is made of it', async () => {
    const file = await write('paper.yaml', {
      ...{ startedAt: '2026-03-01T09:00:00Z', endedAt: '2026-03-01T10:00:00Z' },
      present: { commander: 'bob', communications: null },
      answers: {
        ...answered(['key']),
        fence: { answer: 'we pull the plug', by: 'bob', seconds: 90, gap: 'nobody knows which plug' },
      },
    });
    const { stdout, exitCode } = await tabletop(['--answers', file]);
    const record = recordOf(stdout);
    expect(exitCode).toBe(3);
    expect(record).toMatchObject({
      ...{ outcome: 'WALKED_THROUGH_WITH_GAPS', runbook: 'drill', endedAt: '2026-03-01T10:00:00Z' },
      drill: {
        type: 'tabletop',
        present: [{ role: 'commander', person: 'bob', deputy: true }],
        tabletop: { absentRoles: ['communications'] },
      },
    });
    expect(gaps(record)).toEqual([
      'key: no answer',
      'fence: nobody knows which plug',
      'who-tells: nobody of eve, dora was there',
    ]);
    expect(record.drill!.tabletop!.items.find(({ id }) => id === 'fence')).toMatchObject({
      ...{ by: 'bob', tookMs: 90_000 },
    });

    const { stdout: listed } = await tykDr(['findings', 'list', 'acme', '--json']);
    const { findings } = JSON.parse(listed) as { findings: { check: string }[] };
    const checks = findings.map(({ check }) => check);
    expect(checks).toEqual(
      expect.arrayContaining(['tabletop/key', 'tabletop/fence', 'tabletop/role-communications']),
    );
    // Nothing was recovered: there is no time and no loss that could have been missed.
    expect(checks).not.toContain('rto');
    expect(checks).not.toContain('rpo');

    expect((await tykDr(['report', record.run])).stdout).toContain('gap: nobody knows which plug');
    expect((await tykDr(['report', record.run, '--format', 'html'])).stdout).toContain('we pull the plug');
    const pack = await tykDr(['evidence', 'export', record.run]);
    expect(pack.stderr).toBe('');
    expect(pack.exitCode).toBe(0);
  }, 60_000);

  test('a later one without the gap closes the finding', async () => {
    const file = await write('good.yaml', {
      present: { commander: ['ann'], communications: ['dora'] },
      answers: answered(),
    });
    const { stdout, exitCode } = await tabletop(['--answers', file]);
    expect(exitCode).toBe(0);
    const { run, outcome } = recordOf(stdout);
    expect(outcome).toBe('WALKED_THROUGH');
    const { stdout: listed } = await tykDr(['findings', 'list', 'acme', '--json']);
    const { findings } = JSON.parse(listed) as { findings: { id: string; check: string }[] };
    const { id } = findings.find(({ check }) => check === 'tabletop/key')!;
    const closed = await tykDr(['findings', 'close', 'acme', id, '--run', run, '--reason', 'asked again']);
    expect(closed.stdout).toContain('the check passed');
  }, 60_000);

  test.each([
    [
      { present: {}, answers: { nonsense: 'x' } },
      /answers\.nonsense: no such question; expected one of who-/,
    ],
    [{ present: { captain: 'ann' }, answers: {} }, /'captain'.*commander, communications/],
    [{ present: { commander: 'eve' }, answers: {} }, /somebody of this role: ann; deputies bob/],
    [{ answers: {} }, /present: missing/],
    [{ present: {}, answers: { key: { answer: 'x', seconds: -1 } } }, /answers\.key/],
    [{ present: {} }, /answers/],
  ])(
    '%j is refused in words, and nothing is kept',
    async (document, why) => {
      const kept = (): Promise<string[]> => readdir(join(dir, 'sets', 'acme', 'runs'));
      const before = await kept();
      const { stderr, exitCode } = await tabletop(['--answers', await write('bad.yaml', document)]);
      expect(exitCode).toBe(2);
      expect(stderr).toMatch(why);
      expect(await kept()).toEqual(before);
    },
    60_000,
  );
});

describe('a tabletop in the terminal', () => {
  const people = ['--participant', 'commander=ann', '--participant', 'communications=eve'];

  test('participants answer without seeing what is expected; events of their own are asked', async () => {
    const events = await write('events.yaml', [
      { id: 'flood', phase: 'redis', text: 'Water.', ask: 'Whom do you call?', expected: 'the caretaker' },
    ]);
    const lines = Array.from({ length: 14 }, (_, index) => `answer ${index}`).join('\n');
    const { stdout, stderr, exitCode } = await session(
      ['--view', 'participant', '--events', events, ...people],
      `${lines}\n`,
    );
    expect(exitCode).toBe(0);
    expect(stderr).toContain('Whom do you call?');
    expect(stderr).not.toMatch(/caretaker|a good answer|coming events/);
    const { items } = recordOf(stdout).drill!.tabletop!;
    expect(items.map(({ id }) => id)).toContain('flood');
    expect(items.every(({ asked, tookMs }) => asked && tookMs !== undefined)).toBe(true);
  }, 60_000);

  test('what was said before it was broken off is kept, and is no drill that was made', async () => {
    const { stdout, exitCode } = await session(people, 'the commander\n\nfifteen minutes\nnobody was sure\n');
    expect(exitCode).toBe(12);
    const record = recordOf(stdout);
    expect(record.outcome).toBe('ABORTED');
    const { items } = record.drill!.tabletop!;
    expect(items.filter(({ asked }) => asked).map(({ answer }) => answer)).toEqual([
      ...['the commander', 'fifteen minutes'],
    ]);
    expect(gaps(record)).toEqual(['objectives: nobody was sure']);
  }, 60_000);

  test.each([
    [['--plant', 'empty-redis'], /--plant is 'empty-redis'/],
    [['--end', 'promote'], /--end/],
    [['--participant', 'commander=eve'], /somebody of this role/],
    [['--participant', 'commander'], /ROLE=PERSON/],
    [['--events', '/nowhere'], /ENOENT/],
  ])('%j is refused', async (args, why) => {
    const { stderr, exitCode } = await tabletop(args);
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(why);
  });
});
