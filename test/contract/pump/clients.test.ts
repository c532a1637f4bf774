import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { withClient } from '../../../adapters/postgres/client.ts';
import { compareJournal, parseJournal, type Store } from '../../../lab/clients/journal.ts';
import { parseWitness, summarise, type Answer } from '../../../lab/clients/witness.ts';
import { eventually } from '../../harness/gateway.ts';
import { freePort } from '../../../adapters/host/free-port.ts';
import { ADMIN_PASSWORD, startTestCluster, type TestCluster } from '../../harness/postgres.ts';
import { startScratchRedis, type ScratchRedis } from '../gateway/scratch-redis.ts';
import { startProgram, type Program } from './program.ts';

// Other work on the machine may slow stores and programs down.
vi.setConfig({ testTimeout: 30_000 });

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'tyk-dr-clients-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const read = (file: string): string => readFileSync(path.join(folder, file), { flag: 'a+' }).toString();

describe('the witness', () => {
  let server: Server | undefined;
  let witness: Program | undefined;
  afterAll(async () => {
    await witness?.kill();
    server?.closeAllConnections();
    server?.close();
  });

  const answers = (): Answer[] => parseWitness(read('witness.jsonl'));
  const until = (status: number, count = 1): Promise<void> =>
    eventually(() =>
      expect(answers().filter((answer) => answer.status === status).length).toBeGreaterThanOrEqual(count),
    );

  test('goes on through a load balancer that is gone, and tells the outage', async () => {
    const port = await freePort();
    const open = async (): Promise<void> => {
      server = createServer((request, response) => {
        const known = request.headers.authorization === 'the-key';
        response.writeHead(request.url === '/open/' || known ? 200 : 401).end('x');
      });
      await new Promise<void>((resolve) => server!.listen(port, '127.0.0.1', resolve));
    };
    await open();
    await writeFile(path.join(folder, 'key'), 'the-key\n');
    const requests = [
      { path: '/open/', key: null, weight: 1 },
      { path: '/keyed/', key: `file:${path.join(folder, 'key')}`, weight: 3 },
    ];
    await writeFile(path.join(folder, 'plan.json'), JSON.stringify({ requests }));
    witness = startProgram('lab/clients/load.ts', [
      ...['--target', `http://127.0.0.1:${port}`, '--plan', path.join(folder, 'plan.json')],
      ...['--out', path.join(folder, 'witness.jsonl'), '--rate', '100'],
    ]);
    await until(200, 30);
    await new Promise((resolve) => server!.close(resolve));
    await until(0, 10);
    await open();
    const before = answers().filter(({ status }) => status === 200).length;
    await until(200, before + 30);
    expect(await witness.stop()).toBe(0);

    const seen = answers();
    expect(new Set(seen.map(({ status }) => status))).toEqual(new Set([0, 200]));
    expect(new Set(seen.map((answer) => answer.path))).toEqual(new Set(['/open/', '/keyed/']));
    const { outages, failed } = summarise(seen);
    expect(outages.reduce((sum, outage) => sum + outage.failed, 0)).toBe(failed);
    expect(Math.max(...outages.map((outage) => outage.failed))).toBeGreaterThanOrEqual(10);
    expect(outages.at(-1)!.until).not.toBeNull();
  });
});

describe('the writer', () => {
  let cluster: TestCluster;
  let redis: ScratchRedis;
  let writer: Program | undefined;

  beforeAll(async () => {
    [cluster, redis] = await Promise.all([startTestCluster(), startScratchRedis()]);
    const secret = async (name: string, value: string): Promise<string> => {
      await writeFile(path.join(folder, name), `${value}\n`, { mode: 0o600 });
      return path.join(folder, name);
    };
    const conf = {
      postgres: {
        ...{ host: '127.0.0.1', port: cluster.config.port, user: 'postgres', database: 'postgres' },
        passwordFile: await secret('postgres', ADMIN_PASSWORD.reveal()),
      },
      redis: {
        ...{ host: redis.host, port: redis.port },
        passwordFile: await secret('redis', redis.password.reveal()),
      },
      journal: path.join(folder, 'journal.jsonl'),
      ratePerSecond: 100,
    };
    await writeFile(path.join(folder, 'writer.json'), JSON.stringify(conf));
  }, 60_000);
  afterAll(async () => {
    await writer?.kill();
    await Promise.all([cluster?.close(), redis?.end()]);
  });

  const start = (): Program =>
    (writer = startProgram('lab/clients/writer.ts', ['--conf', path.join(folder, 'writer.json')]));
  const acknowledged = (store: Store): number[] =>
    parseJournal(read('journal.jsonl')).flatMap((entry) => (entry.store === store ? [entry.seq] : []));
  const more = async (store: Store, count: number): Promise<void> => {
    const before = acknowledged(store).length;
    await eventually(() => expect(acknowledged(store).length).toBeGreaterThanOrEqual(before + count));
  };
  const rows = (): Promise<number[]> =>
    withClient(cluster.admin, async (client) => {
      const result = await client.query<{ seq: string }>('SELECT seq FROM lab_journal');
      return result.rows.map(({ seq }) => Number(seq));
    });

  test('journals only what both stores hold, through an outage of each', async () => {
    start();
    await more('postgres', 20);
    await cluster.kill();
    await more('redis', 20);
    await cluster.start();
    await more('postgres', 20);
    expect(compareJournal(acknowledged('postgres'), await rows())).toMatchObject({ lost: 0, holes: [] });

    await redis.stop();
    await more('postgres', 20);
    const lostWithRedis = acknowledged('redis').length;
    await redis.resume();
    await more('redis', 20);
    await writer!.stop();
    const keys = (await redis.client.keys('lab-journal-[0-9]*')).map((key) => Number(key.slice(12)));
    const comparison = compareJournal(acknowledged('redis'), keys);
    // This Redis keeps nothing: exactly what it had before it went is gone, and the comparison says so.
    expect(comparison.holes).toHaveLength(lostWithRedis);
    expect(Number(await redis.client.get('lab-journal-max'))).toBe(comparison.lastRecovered);
  });

  test('gives no number twice, also after it was killed', async () => {
    const before = Math.max(...acknowledged('redis'), ...acknowledged('postgres'));
    start();
    await more('redis', 20);
    await writer!.kill();
    const first = acknowledged('redis').filter((seq) => seq > before);
    start();
    await more('redis', 20);
    expect(await writer!.stop()).toBe(0);
    for (const store of ['redis', 'postgres'] as const) {
      const numbers = acknowledged(store);
      expect(new Set(numbers).size).toBe(numbers.length);
      expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    }
    expect(first.length).toBeGreaterThanOrEqual(20);
    expect(writer!.log()).not.toContain(ADMIN_PASSWORD.reveal());
  });
});
