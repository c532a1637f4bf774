import { appendFile, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { chainFolder } from '../../../adapters/backup/redis-aof.ts';
import { readLogFiles, wholeCommandsEnd } from '../../../adapters/redis/aof-files.ts';
import type { PartResult } from '../../../domain/backup.ts';
import type { CheckBackupResult, RecoveryPoint } from '../../../domain/plan.ts';
import { assemble, type AofChain, type AofPiece } from '../../../domain/redis-aof.ts';
import { callActivity, type ChildEnd } from '../../harness/activity.ts';
import { backupStepOf, signSet, stepOf, type TestDeployment } from '../../harness/deployment.ts';
import { eventually } from '../../harness/gateway.ts';
import { flipByte } from '../../harness/postgres-scene.ts';
import { startTestRedis, type TestRedis } from '../../harness/redis.ts';
import { redisDeployment } from '../../harness/redis-scene.ts';

/** The append-only log, shipped beside a set: Redis comes back to a point that the set's RDB does not know. */

const SET = '20260101T000000Z-0001';
let redis: TestRedis;
let scene: TestDeployment;
let runs = 0;

beforeAll(async () => {
  redis = await startTestRedis();
  scene = await redisDeployment(redis);
  await redis.client().set('apikey-0', 'in the set');
  const part = (await backup('back-up-redis')).result as PartResult;
  await signSet(scene, { set: SET, site: 'dr', objects: part.objects, redis: part.redis! });
}, 60_000);
afterAll(() => redis?.close());

const backup = (activity: string): Promise<ChildEnd> =>
  callActivity({ configFile: scene.configFile, activity, input: backupStepOf(scene, activity, SET) });
const ship = async (): Promise<string> => {
  const { result, error } = await backup('ship-redis-aof');
  expect(error).toBeUndefined();
  return result!.summary;
};
const chainDir = async (): Promise<string> => {
  const folder = chainFolder(scene.deployment.backup, 'acme');
  return join(folder, (await readdir(folder)).sort().at(-1)!);
};

/** Everything of the server is lost, and it is restored, started and proven by the real activities. */
async function recovered(
  point: RecoveryPoint = { kind: 'archive-end' },
): Promise<{ restore: ChildEnd; prove: ChildEnd }> {
  await redis.kill();
  await rm(redis.dataDir, { recursive: true, force: true });
  await mkdir(redis.dataDir);
  runs += 1;
  const step = (activity: string): Promise<ChildEnd> => {
    const input = stepOf(scene, { run: `run-${runs}`, step: activity, set: SET, epoch: runs, point });
    return callActivity({ configFile: scene.configFile, activity, input });
  };
  const restore = await step('restore-redis-data');
  expect(restore.error).toBeUndefined();
  await redis.start();
  return { restore, prove: await step('prove-redis') };
}
/** What is said of the backup before anything is touched. */
async function checked(): Promise<CheckBackupResult> {
  const input = stepOf(scene, { run: 'run-check', step: 'check-backup', set: SET });
  const { result, error } = await callActivity({
    configFile: scene.configFile,
    activity: 'check-backup',
    input,
  });
  expect(error).toBeUndefined();
  return result as CheckBackupResult;
}
const keys = async (): Promise<string[]> => (await redis.client().keys('*')).sort();

test('what was written after the set comes back with the pieces that were shipped', async () => {
  await redis.client().set('apikey-1', 'x');
  expect(await ship()).toMatch(/with a new base, up to 20/);
  await redis.client().incr('counter');
  await redis.client().incr('counter');
  expect(await ship()).toMatch(/^\S+: \d+ B more, up to 20/);
  expect(await ship()).toContain('nothing new');
  await redis.client().set('apikey-lost', 'never shipped');

  const { restore, prove } = await recovered();
  expect(restore.result?.summary).toMatch(/with the append-only log shipped until 20\S+Z$/);
  expect(prove.error).toBeUndefined();
  expect(prove.result?.proofs?.[1]?.actual).toBe('3 equal, 0 expired');
  expect(await keys()).toEqual(['apikey-0', 'apikey-1', 'counter']);
  expect(await redis.client().get('counter')).toBe('2');
});

test('a rewritten log begins a new chain; a command that was cut off is left out, and that is said', async () => {
  const client = redis.client();
  await client.bgrewriteaof();
  await eventually(async () =>
    expect(await client.info('persistence')).toContain('aof_rewrite_in_progress:0'),
  );
  await client.set('apikey-2', 'behind the new base');
  expect(await ship()).toContain('with a new base');
  await redis.stop();
  const last = (await readLogFiles(redis.dataDir))!.at(-1)!;
  const file = join(redis.dataDir, 'appendonlydir', last.name);
  const half = '*1\r\n$5\r\nMULTI\r\n*3\r\n$3\r\nSET\r\n$8\r\napikey-3\r\n$1\r\nx\r\n*2\r\n$4\r\nINC';
  await appendFile(file, half);
  expect(await ship()).toContain(`${half.length} B more`);
  const { restore, prove } = await recovered();
  expect(restore.result?.summary).toContain(`${half.length} bytes of a command that was not whole left out`);
  expect(prove.error).toBeUndefined();
  expect(await keys()).toEqual(['apikey-0', 'apikey-1', 'apikey-2', 'counter']);
});

describe('the set alone comes back', () => {
  test('where the plan asks for its moment, or for one before the first piece', async () => {
    for (const point of [{ kind: 'set' }, { kind: 'time', at: '2020-01-01T00:00:00.000Z' }] as const) {
      const { restore } = await recovered(point);
      expect(restore.result?.summary).toMatch(/switched in$/);
      expect(await keys()).toEqual(['apikey-0']);
    }
  });

  test('where a piece is damaged; and that is no success in silence', async () => {
    const folder = await chainDir();
    const piece = (await readdir(folder))
      .filter((name) => name.startsWith('incr'))
      .sort()
      .at(-1)!;
    expect((await checked()).exception).toBeUndefined();
    await flipByte(join(folder, piece), 300);
    const { exception, points } = await checked();
    expect(exception).toMatch(/^the shipped append-only log cannot be used, .*damaged/);
    expect(points?.find(({ store }) => store === 'redis')?.from).toBe(`set ${SET}`);
    const { restore, prove } = await recovered();
    expect(restore.result?.summary).toContain('without the shipped append-only log, which cannot be used');
    expect(restore.result?.proofs).toMatchObject([
      { verdict: 'not-measured', actual: expect.stringContaining('damaged') as string },
    ]);
    expect(prove.error).toBeUndefined();
    expect(await keys()).toEqual(['apikey-0']);
  });
});

describe('pieces', () => {
  const piece = (name: string, sequence: number, from: number, to: number, minute: number): AofPiece => ({
    ...{ name, sequence, from, to, kind: name.includes('base') ? 'base' : 'incr' },
    holdsUntil: `2026-01-01T00:0${minute}:00.000Z`,
    readAt: `2026-01-01T00:0${minute}:01.000Z`,
    object: { name, file: name, plain: { sha256: '', bytes: 0 }, cipher: { sha256: '', bytes: 0 } },
  });
  const WHOLE = [
    ...[piece('1.base', 1, 0, 9, 1), piece('1.incr', 1, 0, 5, 1), piece('1.incr', 1, 5, 7, 2)],
    piece('2.incr', 2, 0, 3, 3),
  ];
  const of = (pieces: AofPiece[], until?: string) => assemble({ pieces } as unknown as AofChain, until);

  test('make files, as far as they go or until a moment', () => {
    expect(of(WHOLE)?.files.map(({ name, pieces }) => [name, pieces.length])).toEqual([
      ...[
        ['1.base', 1],
        ['1.incr', 2],
        ['2.incr', 1],
      ],
    ]);
    const earlier = of(WHOLE, '2026-01-01T00:02:30.000Z');
    expect([earlier?.files.length, earlier?.holdsUntil]).toEqual([2, '2026-01-01T00:02:00.000Z']);
    expect(of(WHOLE, '2026-01-01T00:00:30.000Z')).toBeUndefined();
  });

  test('behind a gap are not replayed', () => {
    const [base, first, second, next] = WHOLE as [AofPiece, AofPiece, AofPiece, AofPiece];
    expect(of([first, second, next])).toBeUndefined();
    expect(of([base, second, next])).toBeUndefined();
    expect(of([base, first, second, { ...next, name: '3.incr', sequence: 3 }])).toBeUndefined();
    expect(of([base, first, second, { ...next, from: 1 }])).toBeUndefined();
  });

  test('end where the last whole command does', async () => {
    const file = join(redis.dir, 'log');
    const whole = '#TS:1\r\n*2\r\n$3\r\nGET\r\n$1\r\n\n\r\n';
    for (const [tail, end] of [
      ['', 0],
      ['*1', 0],
      ['*1\r\n$4\r\nPIN', 0],
      ['*1\r\n$5\r\nMULTI\r\n*1\r\n$4\r\nEXEC\r\n', 29],
    ] as const) {
      await writeFile(file, whole + tail);
      expect(await wholeCommandsEnd(file)).toBe(whole.length + end);
    }
    await writeFile(file, `${whole}nonsense\r\n`);
    await expect(wholeCommandsEnd(file)).rejects.toThrow(`a command at byte ${whole.length}`);
  });
});
