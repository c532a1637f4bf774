import { expect, test } from 'vitest';
import { EXAMPLE } from '../../cli/init-example.ts';
import { parseConfig } from '../../adapters/config/load.ts';
import { customSettings } from '../../domain/tyk-defaults.ts';
import { settingsSection } from '../../report/handbook-settings.ts';

/** The handbook says which settings of Tyk's somebody has changed, and never a value that it does not know. */

const CONF = JSON.stringify({
  ...{
    listen_port: 8080,
    hash_keys: true,
    secret: 'hidden-secret',
    storage: { use_ssl: true, password: 'hidden' },
  },
  ...{ analytics_config: { storage_expiration_time: 60 }, my_extension: 'hidden-too' },
});

test('what differs is told with the default; what is as Tyk has it, or not set, is not', () => {
  const found = customSettings('gateway', CONF)!;
  expect(found.differ.map(({ path, value, standard }) => [path, value, standard])).toEqual([
    ['hash_keys', 'true', 'false'],
    ['storage.use_ssl', 'true', 'false'],
  ]);
  expect(found.others).toEqual(['my_extension', 'secret']);
  expect(JSON.stringify(found)).not.toContain('hidden');
  expect(customSettings('gateway', '[]')).toBeUndefined();
});

test('each component is looked up where a set has it; without a set it is said that nothing was compared', () => {
  const deployment = Object.values(parseConfig(EXAMPLE, 'tyk-dr.yaml').deployments)[0]!;
  const { name, config } = Object.values(deployment.sites)[0]!.gateways[0]!;
  const files = new Map([[`gateway-${name}/${config}`, CONF]]);
  const { table, text } = settingsSection(deployment, { from: 'set S', files });
  expect(table!.rows).toHaveLength(2);
  expect(table!.rows[0]!.slice(0, 2)).toEqual([`gateway-${name}/${config}`, 'hash_keys']);
  expect(text!.join('\n')).toContain('my_extension, secret');
  expect(settingsSection(deployment, { why: 'there is no backup set yet' }).text![0]).toContain(
    'Not compared with the defaults of Tyk: there is no backup set yet',
  );
});
