import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { main } from '../../cli/main.ts';
import { fleetRequest, type AllOptions } from '../../cli/recover-all.ts';
import type { Config } from '../../domain/config.ts';

/** What `recover --all` refuses before it asks anybody: exit 2, the argument, and what was expected. */

let stderr = '';
beforeEach(() => {
  stderr = '';
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    stderr += String(text);
    return true;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
});

describe('the command line', () => {
  test.each([
    ['recover --reason x', "DEPLOYMENT is 'missing'; expected the name of one, or --all --site SITE"],
    ['recover acme --reason x', "--to is 'missing'"],
    ['recover acme --to dr --site primary --reason x', "--site is 'primary'; expected --all as well"],
    ['recover acme --all --site primary --reason x', "DEPLOYMENT is 'acme'; expected none beside --all"],
    ['recover --all --site primary', '--reason'],
    ['fleet add acme --reason x', '--site'],
    ['fleet show primary --watch --format html', "--format is 'html'; expected text or json beside --watch"],
    ['fleet show primary --out /tmp/x', "--out is '/tmp/x'; expected --format html as well"],
    ['fleet show primary --json --format html', "--format is 'html'; expected json beside --json"],
    ['failover acme --forced --reason x', "--to is 'missing'; expected the standby that takes over"],
    ['failover --all --forced --reason x', "--from is 'missing'; expected the lost site"],
    ['failover --all --from primary --reason x', "--all is 'without --forced'"],
  ])('%s', async (line, expected) => {
    await main(['node', 'tyk-dr', ...line.split(' ')]);
    expect(stderr).toContain(expected);
    expect(process.exitCode).toBe(2);
  });
});

const config = {
  deployments: {
    acme: { sites: { primary: {}, dr: {} } },
    other: { sites: { primary: {}, third: {} } },
  },
} as unknown as Config;

const options = (more: Partial<AllOptions>): AllOptions => ({
  ...{ all: true, site: 'primary', reason: 'flood', backup: 'latest', snapshots: true },
  ...{ scenario: 'infrastructure', onFailure: 'ask', actor: 'ann' },
  ...more,
});

describe('all that have lost a site', () => {
  test.each<[Partial<AllOptions>, string]>([
    [{ site: 'nowhere' }, "--site is 'nowhere'; expected the lost site, one of primary, dr, third"],
    [{ to: 'nowhere' }, "--to is 'nowhere'; expected one of primary, dr, third"],
    [{ to: 'primary' }, "--to is 'primary'; expected another site than primary"],
    [{ component: 'redis' }, "--component is 'redis'; expected one DEPLOYMENT instead of --all"],
    [{ inPlace: true }, "--in-place is 'true'"],
    [
      { from: 'primary' },
      "--from is 'primary'; expected one DEPLOYMENT instead of --all; with --all the lost site is --site",
    ],
    [{ backup: '20261124T031500Z-1f2e' }, "--backup is '20261124T031500Z-1f2e'"],
    [{ configRef: 'main' }, "--config-ref is 'main'"],
  ])('refuses %j', (more, expected) => {
    expect(() => fleetRequest(config, options(more), 'recover', false)).toThrow(expected);
  });

  test('is a regional disaster unless somebody says otherwise, and counts from when it occurred', () => {
    const occurred = '2026-11-24T03:00:00.000Z';
    expect(fleetRequest(config, options({ occurred }), 'recover', false)).toMatchObject({
      ...{ site: 'primary', scenario: 'regional', occurredAt: occurred, actor: 'ann', reason: 'flood' },
    });
    expect(fleetRequest(config, options({}), 'recover', true).scenario).toBe('infrastructure');
  });
});
