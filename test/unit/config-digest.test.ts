import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonical, configDigest } from '../../adapters/config/digest.ts';
import { parseConfig } from '../../adapters/config/load.ts';
import { EXAMPLE } from '../../cli/init-example.ts';

/** The digest of the example with one text replaced wherever it stands. */
function digest(from = '', to = ''): string {
  expect(EXAMPLE).toContain(from);
  const text = from === '' ? EXAMPLE : EXAMPLE.replaceAll(from, to);
  return configDigest(parseConfig(text, 'tyk-dr.yaml').deployments['payments']!);
}

describe('two workers agree', () => {
  test.each([
    ['data lie elsewhere', '/var/lib/redis/data', '/data/redis'],
    ['a port differs', 'port: 6379', 'port: 16379'],
    ['an address differs', 'http://127.0.0.1:8080', 'http://10.0.0.7:8080'],
    ['services are driven otherwise', 'systemd: redis-server', 'systemd: redis@tyk'],
    ['the backups are mounted elsewhere', '/srv/backup/tyk-dr', '/mnt/backup/tyk-dr'],
    ['secrets are kept elsewhere', 'file:/etc/tyk-dr/secrets/gateway', 'env:TYK_GATEWAY_SECRET'],
    [
      'secrets come from a vault',
      'file:/etc/tyk-dr/secrets/node',
      'command:["vault", "read", "-field=node", "tyk"]',
    ],
    ['a comment differs', '# At least two:', '# Two or more:'],
    ['a duration is written otherwise', 'rto: 15m', 'rto: 900s'],
  ])('where %s', (_what, from, to) => {
    expect(digest(from, to)).toBe(digest());
  });
});

describe('what concerns one host only makes no drift', () => {
  const line = (text: string): [string, string] => ['    backup:\n', `${text}    backup:\n`];
  test.each<[string, [string, string]]>([
    [
      'whom it tells',
      line(
        '    notify: { channels: { mail: { kind: email, host: smtp, from: a@b, to: [a@b] } }, routes: [{ channels: [mail] }] }\n',
      ),
    ],
    ['whom it calls', ['+44 20 5550 0100', '+44 20 5550 0199']],
    ['when backups are made', ["cron: '0 3 * * *'", "cron: '5 3 * * *'"]],
    [
      'what it shows Prometheus',
      ['deployments:\n', 'metrics: { paris: { listen: "127.0.0.1:9464" } }\ndeployments:\n'],
    ],
    ['how it reaches Temporal', ['127.0.0.1:7233', 'temporal.example:7233']],
    [
      'how it encrypts',
      [
        '  namespace: default\n',
        '  namespace: default\n  encryption: { keys: [{ id: k1, key: "env:K" }] }\n',
      ],
    ],
  ])('%s', (_what, [from, to]) => {
    expect(digest(from, to)).toBe(digest());
  });

  test('where the file of a witness lies; but not whether there is one', () => {
    const at = (path: string): string => digest(...line(`    witness: ${path}\n`));
    expect(at('/srv/a.jsonl')).toBe(at('/srv/b.jsonl'));
    expect(at('/srv/a.jsonl')).not.toBe(digest());
  });
});

describe('two workers disagree', () => {
  test.each([
    ['the tier', 'tier: critical', 'tier: standard'],
    ['an objective', 'rpo: 5m', 'rpo: 6m'],
    ['what a probe expects', 'status: 403', 'status: 401'],
    ['the organisation', '5e9d9544a1dcd60001d0ed20', '5e9d9544a1dcd60001d0ed21'],
    ['a recipient', 'age1ql3z7', 'age1ql3z8'],
    ['a key that counts', 'ed25519:MCow', 'ed25519:MCoX'],
    ['a worker of a site', 'worker: paris', 'worker: lyon'],
    ['the name of a Gateway', 'name: gw1', 'name: gw2'],
    ['the servers that get traffic', 'paris-gw1', 'paris-gw2'],
    ['the address of the clients', 'https://api.example.org', 'https://api.example.com'],
    ['that an admin secret is shared', '      admin: file:/etc/tyk-dr/secrets/admin\n', ''],
  ])('about %s', (_what, from, to) => {
    expect(digest(from, to)).not.toBe(digest());
  });
});

test('is a SHA-256', () => {
  expect(digest()).toMatch(/^[0-9a-f]{64}$/);
});

describe('canonical JSON', () => {
  test('does not depend on the order of fields, at any depth', () => {
    fc.assert(fc.property(fc.jsonValue(), (value) => canonical(reversed(value)) === canonical(value)));
  });

  test('is JSON of the same value, with lists in their order', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(JSON.parse(canonical(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });
});

/** The same value with the fields of every object in the opposite order. */
function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, item]) => [key, reversed(item)]),
  );
}
