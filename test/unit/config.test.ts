import { describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { parseConfig } from '../../adapters/config/load.ts';
import { EXAMPLE } from '../../cli/init-example.ts';
import type { DrError } from '../../domain/errors.ts';

/** The example of `tyk-dr init`, with some of its text replaced: every replacement must find its text. */
function example(...replacements: [from: string, to: string][]): string {
  return replacements.reduce((text, [from, to]) => {
    expect(text).toContain(from);
    return text.replace(from, to);
  }, EXAMPLE);
}

/** What a person sees of a wrong file. */
function errorsOf(text: string): string {
  try {
    parseConfig(text, 'tyk-dr.yaml');
  } catch (error) {
    expect(error).toMatchObject({ code: 'CONFIG_INVALID', exitCode: 2 });
    return (error as DrError).message;
  }
  throw new Error('the configuration was accepted');
}

interface Example {
  deployments: { payments: { sites: Record<'london' | 'paris', Record<string, unknown>> } };
}

const lineOf = (text: string, part: string): number => text.slice(0, text.indexOf(part)).split('\n').length;

describe('a sound file', () => {
  test('the example of init is valid as it stands', () => {
    const { deployments } = parseConfig(EXAMPLE, 'tyk-dr.yaml');
    expect(Object.keys(deployments['payments']!.sites)).toEqual(['london', 'paris']);
  });

  test('gets its defaults filled in and durations in milliseconds', () => {
    const payments = parseConfig(EXAMPLE, 'tyk-dr.yaml').deployments['payments']!;
    expect(payments.objectives).toEqual({ rto: 900_000, rpo: 300_000 });
    expect(payments.probes[0]).toMatchObject({ method: 'GET', expect: { status: 200 } });
    expect(payments.sites['london']!.redis).toMatchObject({ host: '127.0.0.1', binary: 'redis-server' });
  });

  test('cannot be changed once it is read', () => {
    const config = parseConfig(EXAMPLE, 'tyk-dr.yaml');
    expect(() => (config.deployments['payments']!.sites['paris']!.worker = 'london')).toThrow(TypeError);
  });
});

describe('a wrong file', () => {
  test('gets every error at once, in the order of the file, with place, value and expectation', () => {
    const text = example(
      ['tier: critical', 'tier: gold'],
      ['rto: 15m', 'rto: a while'],
      ['requests: 5 ', 'requests: 99999 '],
      ['worker: edge', 'wroker: edge'],
    );
    expect(errorsOf(text).split('\n')).toEqual([
      'tyk-dr.yaml has 4 errors:',
      `  line ${lineOf(text, 'tier: gold')}:5: deployments.payments.tier: 'gold'; ` +
        'expected one of critical, important, standard, development',
      `  line ${lineOf(text, 'rto:')}:19: deployments.payments.objectives.rto: 'a while'; ` +
        'expected a duration such as 90s, 15m or 1h30m',
      `  line ${lineOf(text, '99999')}:34: deployments.payments.analytics.requests: '99999'; ` +
        'expected at most 1000',
      `  line ${lineOf(text, 'wroker')}:7: deployments.payments.traffic.wroker: ` +
        "unknown field; did you mean 'worker'?",
    ]);
  });

  test.each([
    ['a secret written out', 'file:/etc/tyk-dr/secrets/gateway', 'hunter2-in-plain'],
    ['a secret that is a number', 'file:/etc/tyk-dr/secrets/redis', '739517'],
    ["a probe's key written out", 'file:/etc/tyk-dr/secrets/probe-key', 'hunter2-in-plain'],
    ['a secret that YAML takes for an alias', 'file:/etc/tyk-dr/secrets/gateway', '*hunter2'],
    ['a secret that YAML takes for a tag', 'file:/etc/tyk-dr/secrets/gateway', '!hunter2'],
    ['a secret that breaks the YAML', 'file:/etc/tyk-dr/secrets/gateway', '"hunter2'],
    ['a password in an address', 'https://api.example.org', 'ftp://admin:hunter2@api.example.org'],
  ])('%s is not echoed', (_what, reference, value) => {
    const message = errorsOf(example([reference, value]));
    expect(message).toMatch(/^tyk-dr\.yaml has \d+ errors?:\n {2}line \d+:\d+: /);
    expect(message).not.toMatch(/hunter2|739517/);
  });

  test.each([
    [
      'a field twice',
      ['worker: paris', 'worker: paris\n        worker: rome'],
      'sites.paris.worker: .*second time',
    ],
    ['bad YAML', ['version: tyk-dr/v1', 'version: [tyk-dr/v1'], 'line \\d+:\\d+: '],
    [
      'a missing field',
      ['organisation: 5e9d9544a1dcd60001d0ed20', ''],
      'payments.organisation: missing; expected a text',
    ],
    [
      'an empty list',
      ['start: [systemctl, start, tyk-gateway]', 'start: []'],
      'gateways.0.service.start: .*expected a command',
    ],
    [
      'an impossible name',
      ['london: &site', 'London: &site'],
      'sites.London: this name is not possible; expected lower-case',
    ],
    [
      'too few recipients',
      ['- age1lggyhqrw2nlhcxprm67z43rta597azn8gknawjehu9d9dl0jq3yqqvfafg', ''],
      'recipients: a list of 1; expected at least two',
    ],
    ['another version', ['tyk-dr/v1', 'tyk-dr/v9'], "version: 'tyk-dr/v9'; expected tyk-dr/v1"],
  ] satisfies [string, [string, string], string][])('%s', (_what, replacement, message) => {
    expect(errorsOf(example(replacement))).toMatch(new RegExp(message));
  });

  test('an empty file', () => {
    expect(errorsOf('')).toContain('version: missing; expected tyk-dr/v1');
  });
});

describe('contradictions between parts', () => {
  test.each([
    [
      'traffic to a site that is not declared',
      ['paris: [paris-gw1]', 'rome: [rome-gw1]'],
      'traffic.servers.rome: no site has this name; expected one of london, paris',
    ],
    [
      'a database without a repository',
      ['pgbackrest: { repository: /srv/backup/pgbackrest', '#'],
      'backup.pgbackrest: missing',
    ],
    [
      'a port twice on one host',
      ['port: 5432', 'port: 6379'],
      'sites.london.database.port: 127.0.0.1:6379 is already that of redis',
    ],
    [
      'the port of a URL again',
      ['http://localhost:8080', 'http://localhost:3000'],
      'sites.london.gateways.0.url: 127.0.0.1:3000 is already that of dashboard',
    ],
    [
      'backups inside a site',
      ['repository: /srv/backup/tyk-dr', 'repository: /var/lib/redis/data/sets'],
      "backup.repository: '/var/lib/redis/data/sets' lies in /var/lib/redis/data",
    ],
    [
      'one recipient twice',
      [
        'age1lggyhqrw2nlhcxprm67z43rta597azn8gknawjehu9d9dl0jq3yqqvfafg',
        'age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p',
      ],
      'recipients.1: the same recipient again',
    ],
    [
      'one name for two probes',
      ['name: known key', 'name: status page'],
      "probes.1.name: 'status page' again",
    ],
    [
      'a proof without its key',
      ['key: env:TYK_DR_WRONG_KEY, ', ''],
      'probes.2.key: missing; a probe that proves wrong-key sends a key',
    ],
  ] satisfies [string, [string, string], string][])('%s', (_what, replacement, message) => {
    const text = example(['http://127.0.0.1:8080', 'http://localhost:8080'], replacement);
    expect(errorsOf(text)).toContain(message);
  });

  test('a component that one site lacks', () => {
    const config = parse(EXAMPLE, { merge: true }) as Example;
    delete config.deployments.payments.sites.paris['pump'];
    expect(errorsOf(stringify(config))).toContain(
      'sites.paris.pump: missing; expected the same components on every site, and london has one',
    );
  });

  test('a database that is backed up otherwise on another site, or by files that nobody named', () => {
    const config = parse(EXAMPLE, { merge: true }) as Example;
    const database = config.deployments.payments.sites.paris['database'] as Record<string, unknown>;
    for (const field of ['dataDir', 'pgbackrest', 'service']) delete database[field];
    expect(errorsOf(stringify(config))).toMatch(
      /paris\.database\.service: missing[^]*paris\.database\.dataDir: missing[^]*paris\.database\.pgbackrest: missing/,
    );
    database['method'] = 'dump';
    expect(errorsOf(stringify(config))).toContain(
      'sites.paris.database.method: site london has pgbackrest; expected the same method on every site',
    );
    const london = config.deployments.payments.sites.london['database'] as Record<string, unknown>;
    london['method'] = 'dump';
    expect(() => parseConfig(stringify(config), 'tyk-dr.yaml')).not.toThrow();
    london['dataDirr'] = '/typo';
    expect(errorsOf(stringify(config))).toContain('sites.london.database.dataDirr');
  });

  test('components of different hosts may use the same port', () => {
    const text = example(['port: 5432', 'port: 6379\n          worker: stores']);
    expect(() => parseConfig(text, 'tyk-dr.yaml')).not.toThrow();
  });
});
