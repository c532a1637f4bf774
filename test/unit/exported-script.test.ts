import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readScriptLog } from '../../adapters/runbook/read-log.ts';
import { readScriptParts } from '../../adapters/runbook/script-parts.ts';
import { Secret } from '../../domain/secret.ts';
import { leftovers, rewriteConf, type ConfKind, type JsonObject } from '../../domain/tyk-conf.ts';
import { PART_NAMES, type ScriptParts } from '../../report/runbook/script.ts';
import { RECOVER_STEPS } from '../../runbooks/recover.ts';
import { exportedExample, EXPORTED_VARIANTS } from '../harness/exported.ts';

let folder: string;
let parts: ScriptParts;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tyk-dr-script-'));
  parts = await readScriptParts(PART_NAMES);
});
afterAll(() => rm(folder, { recursive: true }));

/** Runs a script of which only the settings and functions are read, and then some lines of a test. */
async function inScript(text: string, lines: string): Promise<string> {
  const file = join(folder, 'script.sh');
  await writeFile(file, text.replace('\nmain "$@"\n', `\n${lines}\n`));
  return execFileSync('bash', [file], { encoding: 'utf8' });
}

describe('an exported script', () => {
  test.each(Object.entries(EXPORTED_VARIANTS))(
    'has every step of the runbook, in the order of the table, as a function of the same name: %s',
    async (_name, change) => {
      const { files } = await exportedExample(change);
      const text = files['recover-paris.sh']!;
      const story = text.slice(text.indexOf('\nrecover() {'), text.indexOf('\n# service SITE'));
      const told = [...story.matchAll(/^ +(?:step (?:probe|mutate)|left_out) ([a-z-]+)/gm)].map(
        ([, id]) => id!,
      );
      const order = RECOVER_STEPS.map(({ id }) => id);
      expect(order.filter((id) => !told.includes(id))).toEqual([]);
      expect([...new Set(told)].sort()).toEqual([...order].sort());
      const called = [...story.matchAll(/step (?:probe|mutate) ([a-z-]+)/g)].map(([, id]) => id!);
      const missing = await inScript(
        text,
        `for each in ${called.join(' ')}; do type -t "$each" >/dev/null || echo "$each"; done`,
      );
      expect(missing).toBe('');
    },
  );

  test('takes no word of the configuration for anything but a word', async () => {
    const evil = `/x/$(touch ${folder}/run)\`touch ${folder}/run\`'; touch ${folder}/run; '"#`;
    const packed = evil.replaceAll(' ', '${IFS}');
    const { files } = await exportedExample((deployment) => {
      const { paris: dr } = deployment.sites;
      dr.stateDir = evil;
      const service = { start: ['printf', '%s', evil], stop: [evil], status: [evil] };
      Object.assign(dr.redis, { dataDir: evil, service });
      dr.gateways[0]!.include = [evil.slice(1)];
      deployment.organisation = evil;
      deployment.probes = [{ name: evil.slice(0, 80), path: packed, expect: { bodyContains: evil } }];
      deployment.traffic!.backend = evil;
    });
    const seen = await inScript(
      files['recover-paris.sh']!,
      [
        `tree "gateway-\${GATEWAYS[0]}"`,
        `printf '%s\\0' "$REDIS_DATA_DIR" "$STATE_DIR" "$(service paris redis start)" "\${TREE_ENTRIES[-1]}" "$ORGANISATION" "\${PROBES[3]}" "\${PROBES[6]}" "$HAPROXY_BACKEND"`,
      ].join('\n'),
    );
    expect(seen.split('\0').slice(0, -1)).toEqual([
      evil,
      evil,
      evil,
      evil.slice(1),
      evil,
      packed,
      evil,
      evil,
    ]);
    expect(existsSync(join(folder, 'run'))).toBe(false);
    expect(files['runbook.html']).not.toContain('<script');
  });

  test('holds no secret, and names the site that it cannot recover', async () => {
    const { files, byHand } = await exportedExample((deployment) => {
      const cluster = { nodes: ['10.0.0.1:7000', '10.0.0.2:7000'] };
      deployment.sites.paris.redis = { method: 'commands', cluster };
    });
    expect(Object.keys(files).sort()).toEqual(['recover-london.sh', 'redis-keys.pl', 'runbook.html']);
    expect(byHand).toEqual({ paris: ['its Redis is a Cluster'] });
    expect(files['runbook.html']).toContain('Site paris: by hand');
    expect(files['recover-london.sh']).not.toMatch(/AGE-SECRET-KEY|PRIVATE KEY/);
  });
});

test('where a standby follows the page says that no script fails over, and how it is done by hand', async () => {
  const { files } = await exportedExample((deployment) => {
    const replication = { database: { password: 'env:FOLLOW' } };
    Object.assign(deployment, { strategy: 'pilot-light', replication });
  });
  const page = files['runbook.html']!;
  expect(page).toMatch(/none of them fails over to a standby/);
  const order = ['Fence', 'pg_promote', 'REPLICAOF NO ONE', 'Start Dashboard', 'Prove', 'standby.json'];
  const places = order.map((words) => page.indexOf(words));
  expect(places).toEqual([...places].sort((a, b) => a - b));
  expect(Math.min(...places)).toBeGreaterThan(0);
  expect((await exportedExample()).files['runbook.html']).not.toContain('fails over');
});

describe('configurations that the script rewrites', () => {
  const to = {
    root: '/srv/dr/it',
    listen: 'http://127.0.0.1:9101',
    redis: { host: '10.0.0.8', port: 9102, database: 3, username: 'tyk', password: new Secret('of "dr"\\') },
    database: {
      host: '10.0.0.9',
      port: 9103,
      name: 'tyk',
      user: 'tyk',
      password: new Secret(`it's "secret" \\ $x`),
    },
    dashboardUrl: 'http://10.0.0.7:9104',
    gatewayUrl: 'https://gw.dr.example',
    secrets: {
      gateway: new Secret('g'),
      node: new Secret('n'),
      admin: new Secret('a'),
      certificate: new Secret('c'),
    },
  };
  const baked = {
    ...{ root: to.root, listenPort: 9101, dashboardUrl: to.dashboardUrl },
    redis: { host: '10.0.0.8', port: 9102, database: 3, username: 'tyk' },
    database: { host: '10.0.0.9', port: 9103, name: 'tyk', user: 'tyk' },
    gateway: { host: 'https://gw.dr.example', port: '443' },
  };
  const secrets = {
    ...{ gateway: 'g', node: 'n', admin: 'a', certificate: 'c' },
    ...{ redis: to.redis.password.reveal(), database: to.database.password.reveal() },
  };
  const dsn = `host=10.1.1.1 port=5432 user='old one' password='it\\'s' dbname=x sslmode=require options=''`;
  const confs: [ConfKind, JsonObject][] = [
    [
      'gateway',
      {
        listen_port: 1,
        storage: { hosts: { a: 'b' }, addrs: ['x:1'], enable_cluster: true, use_ssl: true },
        cache_storage: { database: 7, host: 'o' },
        use_db_app_configs: true,
        policies: { policy_source: 'service' },
        app_path: '/srv/primary/it/apps',
        other: ['/srv/primary/it', '/srv/primary/its', null, 1.5, true],
      },
    ],
    ['gateway', { policies: { policy_source: 'file' }, storage: 'odd', security: 'odd' }],
    [
      'dashboard',
      {
        redis_hosts: {},
        redis_addrs: [],
        enable_cluster: false,
        redis_use_ssl: true,
        storage: {
          main: { type: 'postgres', connection_string: dsn },
          logs: { type: 'mongo', connection_string: 'm' },
          odd: 1,
        },
        tyk_api_config: { Host: 'o' },
      },
    ],
    [
      'pump',
      {
        analytics_storage_config: { redis_use_ssl: true },
        pumps: {
          sql: { type: 'sql', meta: { connection_string: dsn } },
          csv: { meta: { csv_dir: '/srv/primary/it/x' } },
          flat: { connection_string: 'host=a port=1' },
        },
        uptime_pump_config: { connection_string: dsn, type: 'sql' },
      },
    ],
    ['pump', {}],
  ];

  test.each(confs)('are what tyk-dr itself makes of a %s.conf', (kind, conf) => {
    const run = (program: string, args: Record<string, unknown>, input: unknown): unknown =>
      JSON.parse(
        execFileSync(
          'jq',
          [
            ...Object.entries(args).flatMap(([name, value]) => ['--argjson', name, JSON.stringify(value)]),
            program,
          ],
          {
            input: JSON.stringify(input),
            encoding: 'utf8',
          },
        ),
      );
    const made = run(parts['rewrite.jq'], { kind, from: '/srv/primary/it', to: baked, secrets }, conf);
    const wanted = rewriteConf(kind, conf, '/srv/primary/it', to);
    expect(made).toEqual(JSON.parse(JSON.stringify(wanted)));
    const source = [
      { host: '10.0.0.8', port: 9102 },
      { host: '10.0.0.9', port: 9103 },
      { host: 'x', port: 9101 },
    ];
    expect(run(parts['leftovers.jq'], { source }, wanted)).toBe(leftovers(wanted, source).join(', '));
  });
});

describe('the log of a script', () => {
  const begin = {
    ...{
      event: 'begin',
      format: 'tyk-dr/script-log/v1',
      run: 'rec-20260101-000000-abcd',
      deployment: 'payments',
      tier: 'critical',
    },
    ...{
      from: 'primary',
      to: 'dr',
      point: 'end',
      reason: 'r',
      actor: 'a',
      occurred: '',
      epoch: 1,
      written: 'w',
    },
    ...{
      configDigest: 'c'.repeat(64).replaceAll('c', '0'),
      planDigest: '0'.repeat(64),
      script: '0'.repeat(64),
    },
  };
  const chained = (events: readonly object[]): string => {
    let previous = 'none';
    return events
      .map((event, index) => {
        const line = JSON.stringify({ n: index + 1, at: '2026-01-01T00:00:00.000Z', ...event, previous });
        previous = createHash('sha256').update(line).digest('hex');
        return `${line}\n`;
      })
      .join('');
  };
  const whole = chained([
    begin,
    { event: 'start', step: 'check-backup', risk: 'probe' },
    { event: 'finish', outcome: 'RECOVERED' },
  ]);

  test.each([
    ['nothing', '', 'cut off'],
    ['no end', whole.split('\n').slice(0, 2).join('\n') + '\n', 'has not ended'],
    ['half a line', whole.slice(0, -20), 'cut off'],
    ['a line taken out', whole.split('\n').toSpliced(1, 1).join('\n'), 'says that it is line 3'],
    ['an edited line', whole.replace('"probe"', '"mutate"'), 'was changed'],
    ['an unknown event', chained([begin, { event: 'eval', step: '$(id)' }]), 'not of such a log'],
    ['a field too many', chained([{ ...begin, __proto__x: 1 }]), 'not of such a log'],
    ['a run that is a path', chained([{ ...begin, run: '../../etc/passwd' }]), 'not of such a log'],
    ['no log at all', '{"a":1}\n', 'not of such a log'],
    ['no JSON', 'hello\n', 'no JSON'],
    ['two runs', chained([begin, begin, { event: 'finish', outcome: 'RECOVERED' }]), 'a second begin'],
    [
      'a recovery that left a step undone',
      chained([
        begin,
        { event: 'start', step: 'check-backup', risk: 'probe' },
        { event: 'finish', outcome: 'RECOVERED' },
      ]),
      'check-backup',
    ],
  ])('is refused with %s', async (_what, text, reason) => {
    const file = join(folder, 'log.jsonl');
    await writeFile(file, text);
    await expect(readScriptLog(file)).rejects.toMatchObject({
      code: 'LOG_REFUSED',
      message: expect.stringContaining(reason) as string,
    });
  });
});
