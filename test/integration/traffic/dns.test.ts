import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import { chmod, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { checkTraffic } from '../../../activities/doctor/traffic.ts';
import { resolveSecret } from '../../../adapters/config/secrets.ts';
import { isolated } from '../../../adapters/host/isolation.ts';
import { lookUp, replaceRecords } from '../../../adapters/dns/update.ts';
import { freePort } from '../../../adapters/host/free-port.ts';
import type { DnsTraffic } from '../../../domain/config-traffic.ts';
import type { DrError } from '../../../domain/errors.ts';
import { Secret } from '../../../domain/secret.ts';
import { startNamed, type TestNamed } from '../../harness/named.ts';
import { trafficScene, type TrafficScene } from '../../harness/traffic.ts';

/** Clients led by a name, at a real BIND with TSIG. */

let named: TestNamed;
let scene: TrafficScene | undefined;
beforeAll(async () => {
  named = await startNamed();
});
afterAll(() => named.close());
beforeEach(() =>
  named.change('update delete api.example.test', 'update add api.example.test 45 A 127.0.0.1'),
);
afterEach(async () => {
  await scene?.close();
  scene = undefined;
});

const NAME = 'api.example.test';
const RECORDS = { primary: ['127.0.0.1'], dr: ['127.0.0.3', '127.0.0.2'] };

async function set(
  changes: object = {},
  secret = named.secret,
  probes: object[] = [],
): Promise<TrafficScene> {
  const file = join(named.dir, 'secret');
  await writeFile(file, secret, { mode: 0o600 });
  scene = await trafficScene(
    {
      ...{ kind: 'dns', server: '127.0.0.1', port: named.port, zone: 'example.test', name: NAME, type: 'A' },
      ...{ ttl: '20s', records: RECORDS, key: { name: 'tyk-dr', secret: `file:${file}` } },
      ...{ url: 'http://api.example.test', ...changes },
    },
    probes,
  );
  return scene;
}

test('a switch replaces the records, says how long clients may keep the old one, and is found done afterwards', async () => {
  const { call } = await set();
  const { result } = await call('switch-traffic');
  expect(result).toMatchObject({
    summary:
      'api.example.test. is 127.0.0.2, 127.0.0.3; clients and resolvers may keep 127.0.0.1 for 45.0 s more',
    observed: false,
  });
  expect(await named.ask(NAME, 'A')).toEqual(['127.0.0.2', '127.0.0.3']);
  expect((await call('switch-traffic')).result).toMatchObject({ observed: true });
  expect((await call('prove-traffic')).result?.proofs?.[0]).toMatchObject({ verdict: 'pass' });
  expect((await call('undo-traffic')).result?.summary).toContain('put back: api.example.test. is 127.0.0.1');
  expect(await named.ask(NAME, 'A')).toEqual(['127.0.0.1']);
});

test.each([
  [
    'AAAA',
    { primary: ['::1'], dr: ['2001:DB8:0:0::2', '::ffff:192.0.2.1'] },
    ['2001:db8::2', '::ffff:192.0.2.1'],
  ],
  ['CNAME', { primary: ['a.example.net'], dr: ['Dr.Example.Net'] }, ['dr.example.net.']],
])('%s: records are compared as what they mean, not as they are written', async (type, records, told) => {
  await named.change(`update delete ${NAME}`);
  const { call } = await set({ type, records });
  expect((await call('switch-traffic')).result).toMatchObject({ observed: false });
  expect((await named.ask(NAME, type)).map((record) => record.toLowerCase())).toEqual([...told].sort());
  expect((await call('switch-traffic')).result).toMatchObject({ observed: true });
  // There was no record before.
  await call('undo-traffic');
  expect(await named.ask(NAME, type)).toEqual([]);
});

test('a change of somebody else between look and update is not overwritten', async () => {
  const { deployment } = await set();
  const door = deployment.traffic as DnsTraffic;
  const secret = new Secret(named.secret);
  const seen = await lookUp(door, secret);
  await named.change(`update delete ${NAME} A`, `update add ${NAME} 45 A 192.0.2.99`);
  await expect(
    replaceRecords(door, secret, seen, { records: ['127.0.0.2'], ttlSeconds: 20 }),
  ).rejects.toThrow('was changed by somebody else in this moment; nothing was changed');
  expect(await named.ask(NAME, 'A')).toEqual(['192.0.2.99']);
});

test('the check before a run is refused as a change would be, and changes nothing', async () => {
  const serial = async (): Promise<string> => (await named.ask('example.test', 'SOA'))[0]!;
  const before = await serial();
  const { driver } = await set();
  expect(await driver().check('dr')).toMatchObject([{ verdict: 'pass' }]);
  expect(await serial()).toBe(before);
});

describe('refusals are told with their reason, before anything changes, and without the secret', () => {
  const reasons: [what: string, () => Promise<TrafficScene>, RegExp][] = [
    [
      'a wrong secret',
      () => set({}, named.wrongSecret),
      /refuses the key tyk-dr: its name, algorithm or secret/,
    ],
    [
      'a key that nobody knows',
      async () => set({ key: { name: 'other', secret: `file:${join(named.dir, 'secret')}` } }),
      /refuses the key other/,
    ],
    ['a secret that is none', () => set({}, 'no base64!'), /the TSIG secret is no base64/],
    [
      'a zone that refuses',
      () => set({ zone: 'closed.test', name: 'api.closed.test' }),
      /refuses updates of closed.test by the key tyk-dr/,
    ],
    [
      'a zone of somebody else',
      () => set({ zone: 'example.org', name: 'api.example.org' }),
      /refuses to tell: REFUSED|has no authority/,
    ],
    [
      'a server that is away',
      async () => set({ port: await freePort() }),
      /does not answer: .*(refused|timed out)/,
    ],
  ];

  test.each(reasons)('%s', async (_what, prepare, reason) => {
    const { call, driver } = await prepare();
    const check = (await driver()
      .check('dr')
      .catch((error: unknown) => error)) as DrError;
    expect(check).toMatchObject({ code: 'TRAFFIC_FAILED' });
    expect(check.message).toMatch(reason);
    const { error } = await call('switch-traffic');
    expect(error).toMatchObject({ code: 'TRAFFIC_FAILED' });
    for (const secret of [named.secret, named.wrongSecret])
      expect(JSON.stringify([error, check.message, check.details])).not.toContain(secret);
    expect(await named.ask(NAME, 'A')).toEqual(['127.0.0.1']);
  });

  test('a host without nsupdate', async () => {
    const { driver, call } = await set();
    const path = process.env['PATH'];
    process.env['PATH'] = await pathWithoutNsupdate();
    try {
      await expect(driver().check('dr')).rejects.toMatchObject({ code: 'TOOL_MISSING' });
      expect((await call('switch-traffic')).error).toMatchObject({
        code: 'TOOL_MISSING',
        message: expect.stringContaining('nsupdate') as string,
      });
    } finally {
      process.env['PATH'] = path;
    }
    expect(await named.ask(NAME, 'A')).toEqual(['127.0.0.1']);
  });
});

async function pathWithoutNsupdate(): Promise<string> {
  const folder = join(named.dir, 'bin');
  await mkdir(folder);
  for (const tool of ['which', 'dig', 'sh']) await symlink(`/usr/bin/${tool}`, join(folder, tool));
  return folder;
}

test('the key never stands in an argument, and no file of it is left', async () => {
  // The real tools, each behind one that writes down how it was called and who could read the key.
  const [folder, log] = [join(named.dir, 'watched'), join(named.dir, 'calls')];
  await mkdir(folder);
  for (const tool of ['dig', 'nsupdate']) {
    const script = `#!/bin/sh\n{ printf '%s ' "$0" "$@"; for f; do case $f in *tsig.key) stat -c 'mode %a' "$f"; esac; done; } >>${log}\nexec /usr/bin/${tool} "$@"\n`;
    await writeFile(join(folder, tool), script);
    await chmod(join(folder, tool), 0o755);
  }
  const path = process.env['PATH'];
  process.env['PATH'] = `${folder}:${path}`;
  try {
    await (await set()).call('switch-traffic');
  } finally {
    process.env['PATH'] = path;
  }
  const calls = await readFile(log, 'utf8');
  expect(calls.match(/\/dig /g)!.length).toBeGreaterThanOrEqual(2);
  expect(calls.match(/\/nsupdate /g)).toHaveLength(1);
  expect(calls.match(/mode 600/g)!.length).toBeGreaterThanOrEqual(3);
  expect(calls).not.toContain(named.secret);
  expect((await readdir(tmpdir())).filter((name) => name.startsWith(`tyk-dr-dns-${process.pid}.`))).toEqual(
    [],
  );
});

test('in place a name cannot keep clients away: that is an exception, and the name is left alone', async () => {
  const { call } = await set();
  await call('switch-traffic');
  expect((await call('hold-traffic')).result).toMatchObject({
    exception: expect.stringContaining('clients could reach dr before it was proven') as string,
  });
  expect(await named.ask(NAME, 'A')).toEqual(['127.0.0.2', '127.0.0.3']);
});

test('the doctor says what would stop a switch, and that clients keep the old record for too long', async () => {
  const look = async ({ deployment }: TrafficScene): Promise<string[]> => {
    const found = await checkTraffic({
      ...{ worker: 'dr', deploymentName: 'acme', deployment, siteName: 'dr', site: deployment.sites['dr']! },
      ...{ where: 'dr', live: false, nonce: '', signal: new AbortController().signal, secret: resolveSecret },
    });
    return found.map(({ severity, message }) => `${severity} ${message}`);
  };
  // The RTO of the tier is 15 minutes.
  const far = await set({ ttl: '2m' });
  expect(await look(far)).toEqual([
    expect.stringMatching(/^ok .*the name server takes updates of api\.example\.test/),
    expect.stringMatching(/^warning clients may keep an old record for 2 min 00 s .* RTO of 15 min 00 s/),
  ]);
  await far.close();
  const near = await set({ ttl: '1m' });
  expect(await look(near)).toEqual([expect.stringMatching(/^ok /)]);
  await near.close();
  expect(await look(await set({}, named.wrongSecret))).toEqual([
    expect.stringMatching(/^error .*refuses the key/),
  ]);
});

test('a drill does not reach the name server', async () => {
  const { deployment } = await set();
  const door = deployment.traffic as DnsTraffic;
  const address = { name: 'the name server', host: '127.0.0.1', port: named.port };
  await expect(
    isolated({ run: 'drl-1', sites: [], sockets: [], addresses: [address] }, () =>
      lookUp(door, new Secret(named.secret)),
    ),
  ).rejects.toMatchObject({ code: 'DRILL_TOUCHES_LIVE' });
});

describe('the proof', () => {
  const servers: Server[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
  });

  test('asks every address that the name leads to now, by the clients’ own name', async () => {
    const port = await freePort();
    const asked: string[] = [];
    for (const address of ['127.0.0.2', '127.0.0.3']) {
      const server = createServer((request, response) => {
        asked.push(`${address} ${request.headers.host}`);
        response.writeHead(address === '127.0.0.3' && request.url === '/broken' ? 500 : 200).end();
      });
      server.listen(port, address);
      await once(server, 'listening');
      servers.push(server);
    }
    // This host's own resolver does not know the name at all.
    const url = `http://${NAME}:${port}`;
    const first = await set({ url }, named.secret, [{ name: 'api', path: '/api' }]);
    const { error: before } = await first.call('prove-traffic');
    expect(before?.message).toContain('expected 127.0.0.2, 127.0.0.3, found 127.0.0.1');
    await first.call('switch-traffic');
    expect((await first.call('prove-traffic')).result?.summary).toContain('2 probes answer');
    expect(asked.sort()).toEqual([`127.0.0.2 ${NAME}:${port}`, `127.0.0.3 ${NAME}:${port}`]);
    await first.close();
    const second = await set({ url }, named.secret, [{ name: 'api', path: '/broken' }]);
    expect((await second.call('prove-traffic')).error?.message).toContain(
      'at 127.0.0.3: expected 200, found 500',
    );
  });
});
