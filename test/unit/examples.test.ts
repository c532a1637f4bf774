import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { examineConfig } from '../../adapters/config/load.ts';
import { configDigest } from '../../adapters/config/digest.ts';
import { planText } from '../../report/plan-text.ts';
import { compileFailover } from '../../runbooks/failover-plan.ts';
import { planDocument } from '../../runbooks/plan-document.ts';
import { shapeOf } from '../../runbooks/shape-of.ts';

/** The example of Tyk's guide, on either database. */

type Group = Record<string, unknown>;
interface Parsed {
  readonly deployments: {
    readonly payments: {
      readonly sites: Record<string, Group>;
      readonly replication: Group;
      readonly backup: Group;
    };
  };
}

const text = (name: string): Promise<string> =>
  readFile(join(import.meta.dirname, '..', '..', 'examples', name), 'utf8');

const DATABASES = ['financial-services.yaml', 'financial-services-mongodb.yaml'] as const;
const texts: string[] = [];
beforeAll(async () => {
  texts.push(...(await Promise.all(DATABASES.map(text))));
});

const problemsOf = (of: string): string =>
  examineConfig(of)
    .problems.map(({ field, message }) => `${field}: ${message}`)
    .join('\n');

test.each(DATABASES.map((name, index) => [name, index] as const))(
  '%s can be used as it stands',
  (_name, index) => {
    expect(problemsOf(texts[index]!)).toBe('');
  },
);

test('they differ in the database, and in nothing else', () => {
  const [postgres, mongo] = texts.map((each) => {
    const { payments } = (parse(each, { merge: true }) as Parsed).deployments;
    for (const site of Object.values(payments.sites)) delete site['database'];
    delete payments.replication['database'];
    delete payments.backup['pgbackrest'];
    return payments;
  });
  expect(mongo).toEqual(postgres);
});

describe('with MongoDB', () => {
  test('says before anything else that failing over is not proven on a genuine mongod', () => {
    expect(texts[1]!.split('version:')[0]).toContain('NOT PROVEN ON A GENUINE MONGOD');
  });

  test.each(['graceful', 'forced'] as const)('the plan of a %s failover says so', (mode) => {
    const deployment = examineConfig(texts[1]!).config!.deployments['payments']!;
    const request = { to: 'dr', from: 'primary', mode, onFailure: 'ask' } as const;
    const plan = compileFailover(shapeOf('payments', deployment), request);
    const facts = { planDigest: 'p', configDigest: configDigest(deployment), deployment, forecast: 'no' };
    expect(planText(planDocument(plan, facts))).toContain(
      '! MongoDB: its replica-set commands are not proven on a genuine mongod',
    );
  });

  test.each([
    ['replicaSet: tyk', '', /database\.replicaSet: missing; expected the name/],
    ['dataDir: /var/lib/mongodb/data', '', /database\.dataDir: missing; expected this member's own/],
    ['          service: { systemd: mongod }\n', '', /database\.service: missing; expected how this member/],
    [
      'host: mongo.region-two.example.org',
      '',
      /host: mongo\.region-one\.example\.org:27017 is the member of site/,
    ],
    ['host: mongo.region-two.example.org', 'host: localhost', /names that every member can reach/],
    [
      'host: mongo.region-two.example.org',
      'replicaSet: other',
      /replicaSet: other, and site primary has tyk/,
    ],
    ['host: mongo.region-two.example.org', 'name: other', /name: other, and site primary has tyk_analytics/],
    [
      'gateways: 1',
      'database: { password: env:P, mode: synchronous }',
      /mode synchronous; expected asynchronous: whom a write waits for is its write concern/,
    ],
  ])('%s, and %s instead, is refused', (there, instead, problem) => {
    const changed = texts[1]!.replace(there, instead);
    expect(changed).not.toBe(texts[1]);
    expect(problemsOf(changed)).toMatch(problem);
  });
});
