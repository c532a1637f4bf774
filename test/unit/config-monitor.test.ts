import { describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { parseConfig } from '../../adapters/config/load.ts';
import { EXAMPLE } from '../../cli/init-example.ts';
import type { MonitorConfig } from '../../domain/config-monitor.ts';
import { monitorInput } from '../../runbooks/monitor-input.ts';

interface Example {
  deployments: {
    payments: { sites: Record<string, { worker: string }>; monitor?: object; approvers?: unknown[] };
  };
}

const parsed = () => parse(EXAMPLE, { merge: true }) as Example;
const [paris, london] = Object.values(parsed().deployments.payments.sites).map(({ worker }) => worker);
const SOUND = { observers: [paris, london], references: ['ns1.example.com:53'] };

function monitorOf(monitor: object): MonitorConfig {
  const config = parsed();
  config.deployments.payments.monitor = { ...SOUND, ...monitor };
  delete config.deployments.payments.approvers;
  return parseConfig(stringify(config), 'tyk-dr.yaml').deployments['payments']!.monitor!;
}

test('what is not said is careful: people are told, and most of the observers, at least two, must agree', () => {
  const config = parsed();
  config.deployments.payments.monitor = { ...SOUND, observers: [paris, london, 'witness', 'another'] };
  const payments = parseConfig(stringify(config), 'tyk-dr.yaml').deployments['payments']!;
  const who = { actor: 'ann', reason: 'new' };
  const { settings } = monitorInput('payments', { ...payments, monitor: payments.monitor! }, who);
  expect(settings).toMatchObject({ onFailure: 'notify', budgetPerDay: 1, intervalMs: 5_000 });
  expect(settings.rules).toMatchObject({ quorum: 3, failAfterMs: 30_000 });
  // It lies open in Temporal.
  expect(JSON.stringify(settings)).not.toMatch(/file:|env:|http/);
});

describe('refused is a monitor', () => {
  test.each<[string, object, RegExp]>([
    ['with one observer', { observers: [paris] }, /at least two workers/],
    ['with the same one twice', { observers: [paris, london, paris] }, /again; expected different workers/],
    ['on one site', { observers: [paris, paris] }, /workers of at least two sites/],
    ['in which one decides', { quorum: 1 }, /one observer never decides/],
    [
      'in which two sides of a cut could decide',
      { observers: [paris, london, 'c', 'd'], quorum: 2 },
      /more than half/,
    ],
    ['in which nobody can agree', { quorum: 3 }, /no more than there are observers/],
    ['that cannot tell a dead site from its own blindness', { references: [] }, /at least one address/],
    ['that looks for itself at a site', { references: ['127.0.0.1:6379'] }, /outside every site/],
    ['that goes nowhere', { to: 'nowhere' }, /no site is called 'nowhere'/],
    ['whose proposals nobody can approve', { onFailure: 'propose' }, /without approvers/],
  ])('%s', (_what, monitor, why) => {
    expect(() => monitorOf(monitor)).toThrow(why);
  });
});
