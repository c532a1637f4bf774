import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { serverStates } from '../../../adapters/haproxy/runtime.ts';
import { exportedExample } from '../../harness/exported.ts';
import { BACKEND, startTestHaproxy } from '../../harness/haproxy.ts';
import { startNamed, type TestNamed } from '../../harness/named.ts';

/** The steps of an exported script that lead the clients, without tyk-dr, at the real parts. */

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tyk-dr-exported-traffic-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** Runs some of its functions; proofs are told as lines. */
async function inScript(traffic: object, lines: string): Promise<string> {
  const { files } = await exportedExample((deployment) => void Object.assign(deployment, { traffic }));
  const prepared = `RUN=rec-1 WORK=${folder}\nproof() { echo "$2: $4"; }`;
  const file = join(folder, 'script.sh');
  await writeFile(file, files['recover-paris.sh']!.replace('\nmain "$@"\n', `\n${prepared}\n${lines}\n`));
  const { stdout, stderr } = await execa('bash', [file], { reject: false });
  return `${stdout}\n${stderr}`;
}

describe('a name', () => {
  let named: TestNamed;
  beforeAll(async () => {
    named = await startNamed();
    await writeFile(join(folder, 'tsig'), named.secret, { mode: 0o600 });
  });
  afterAll(() => named.close());
  const dns = (secret = 'tsig'): object => ({
    ...{ kind: 'dns', server: '127.0.0.1', port: named.port, zone: 'example.test', name: 'api.example.test' },
    ...{ type: 'A', ttl: '20s', records: { london: ['127.0.0.1'], paris: ['127.0.0.3', '127.0.0.2'] } },
    key: { name: 'tyk-dr', secret: `file:${join(folder, secret)}` },
    url: 'http://api.example.test',
  });

  test('a wrong key changes nothing, and is told of', async () => {
    await writeFile(join(folder, 'wrong'), named.wrongSecret, { mode: 0o600 });
    expect(await inScript(dns('wrong'), 'check_traffic')).toContain('refuses the key tyk-dr');
    expect(await named.ask('api.example.test', 'A')).toEqual(['127.0.0.1']);
  });

  test('of a site that has no records is refused before anything changes, and not deleted', async () => {
    const lines = (step: string): string => `records_of() { RECORDS=(); }; ${step}; echo went on`;
    for (const step of ['check_traffic', 'switch-traffic', 'prove_standing'])
      expect((await inScript(dns(), lines(step))).trim().split('\n')).toEqual([
        'error: api.example.test. has no records declared for paris',
        'hint: Add traffic.records of it to tyk-dr.yaml and export again.',
      ]);
    expect(await named.ask('api.example.test', 'A')).toEqual(['127.0.0.1']);
  });

  test('is checked, switched and proven', async () => {
    const steps =
      'check_traffic; prove_standing; switch-traffic; echo "$SUMMARY"; prove_standing; echo "${DOORS[*]}"';
    const told = await inScript(dns(), steps);
    expect(told.trim().split('\n')).toEqual([
      'pass: 127.0.0.1',
      'fail: 127.0.0.1',
      'api.example.test. is 127.0.0.2 127.0.0.3; clients may keep the old record for 45 s',
      'pass: 127.0.0.2 127.0.0.3',
      '127.0.0.2 127.0.0.3',
    ]);
    expect(await named.ask('api.example.test', 'A')).toEqual(['127.0.0.2', '127.0.0.3']);
  });
});

test('a command is asked what came of it', async () => {
  const shares = join(folder, 'shares');
  await writeFile(shares, 'london 100\n');
  const traffic = {
    kind: 'command',
    switch: [
      'sh',
      '-c',
      `echo "$TYK_DR_SITE $TYK_DR_PERCENT $TYK_DR_RUN" >${shares}-call; echo "$TYK_DR_SITE" >${shares}`,
    ],
    status: ['cat', shares],
    url: 'http://127.0.0.1:9',
  };
  const told = await inScript(traffic, 'check_traffic; switch-traffic; echo "$SUMMARY"; prove_standing');
  expect(told.trim().split('\n')).toEqual([
    'pass: paris 0 %',
    'paris has all traffic, the status command says',
    'pass: paris 100 %',
  ]);
  expect(await readFile(`${shares}-call`, 'utf8')).toBe('paris 100 rec-1\n');
});

test.each(['check_traffic', 'hold-traffic', 'switch-traffic', 'prove_standing'])(
  'a status command that fails ends %s, and nothing is told of any share',
  async (step) => {
    const touched = join(folder, `touched-by-${step}`);
    const traffic = {
      ...{ kind: 'command', switch: ['touch', touched], holdOut: ['touch', touched], status: ['false'] },
      url: 'http://127.0.0.1:9',
    };
    const told = await inScript(traffic, `${step}; echo went on`);
    expect(told.trim().split('\n')).toEqual([
      'error: the status command of traffic: failed',
      'hint: Run it by hand, mend it, and run the script again.',
    ]);
    expect(existsSync(touched)).toBe(false);
  },
);

test('a command that takes its time is waited for as long as the configuration says', async () => {
  const traffic = {
    ...{ kind: 'command', switch: ['true'], status: ['echo', 'london'], holdsWithin: '1500ms' },
    url: 'http://127.0.0.1:9',
  };
  const told = await inScript(traffic, 'echo "waits $TRAFFIC_HOLDS_SECONDS s"; switch-traffic');
  expect(told).toMatch(
    /waits 2 s[^]*error: the switch command ended well, and paris has not all traffic after 2 s/,
  );
  const files = await exportedExample();
  expect(files.files['recover-paris.sh']).toContain('\nHAPROXY_UP_SECONDS=30\n');
});

test('a secret that cannot be read ends what asks for it, also while something is waited for', async () => {
  const traffic = { kind: 'command', switch: ['true'], status: ['true'], url: 'http://127.0.0.1:9' };
  const lines = 'GATEWAY_SECRET=file:/nowhere; wait_for 3 has_loaded http://127.0.0.1:9; echo went on';
  const told = await inScript(traffic, lines);
  expect(told.match(/^error: .*$/gm)).toEqual(['error: the secret file:/nowhere cannot be read']);
  expect(told).not.toContain('went on');
});

test.each(['check_traffic', 'hold-traffic', 'switch-traffic'])(
  'a HAProxy that is away ends %s',
  async (step) => {
    const traffic = {
      ...{ kind: 'haproxy', socket: join(folder, 'no.sock'), backend: BACKEND, url: 'http://127.0.0.1:9' },
      servers: { london: ['p1'], paris: ['d1'] },
    };
    const told = await inScript(traffic, `${step}; echo "went on: $SUMMARY"`);
    expect(told).toContain(`error: HAProxy does not answer at ${join(folder, 'no.sock')}`);
    expect(told).not.toContain('went on');
  },
);

test('HAProxy: a switch to a site without servers takes nobody out', async () => {
  const proxy = await startTestHaproxy(['p1', 'd1']);
  try {
    const traffic = {
      ...{ kind: 'haproxy', socket: proxy.socket, backend: BACKEND, url: proxy.url },
      servers: { london: ['p1'], paris: ['d1'] },
    };
    for (const step of ['check_traffic', 'switch-traffic'])
      expect(await inScript(traffic, `servers_of() { SERVERS=(); }; ${step}; echo went on`)).toMatch(
        /^\nerror: the backend \S+ has no servers declared for paris\nhint: /,
      );
    expect(await serverStates(proxy.socket, BACKEND)).toMatchObject([{ admin: 'ready' }, { admin: 'ready' }]);
  } finally {
    await proxy.close();
  }
});

test('HAProxy: what drains comes in, and no share is left', async () => {
  const proxy = await startTestHaproxy(['p1', 'd1'], { out: ['d1'] });
  try {
    const traffic = {
      ...{ kind: 'haproxy', socket: proxy.socket, backend: BACKEND, url: proxy.url },
      servers: { london: ['p1'], paris: ['d1'] },
    };
    const before = `haproxy 'set server ${BACKEND}/d1 state drain'; haproxy 'set server ${BACKEND}/d1 weight 7'`;
    expect(await inScript(traffic, `${before}; check_traffic; switch-traffic; echo "$SUMMARY"`)).toContain(
      'd1 serve, every other server is out',
    );
    expect(await serverStates(proxy.socket, BACKEND)).toMatchObject([
      { name: 'p1', admin: 'maint' },
      { name: 'd1', admin: 'ready', weight: 1, up: true },
    ]);
  } finally {
    await proxy.close();
  }
});
