import { expect, test } from 'vitest';
import { diffConfig } from '../../domain/config-diff.ts';
import { changeSummary } from '../../domain/config-diff-text.ts';
import { definitionFiles } from '../../domain/versioned.ts';

/** Names that stay while the content changes, and changes in words. */

test('a definition has a file named by slug and id, whichever database it comes from', () => {
  const files = definitionFiles({
    apis: [
      { api_definition: { api_id: 'a1', slug: 'orders', name: 'Orders, all of them' } },
      { api_definition: { api_id: 'a2', slug: 'a2', name: 'Pay/ments' } },
      { _id: { $oid: '65f0' }, api_definition: { api_id: 'a3', slug: '../../evil', name: '' } },
    ],
    policies: [{ _id: { $oid: '65f1' }, id: '', name: 'Gold' }, { name: '' }],
  });
  expect(files.map(({ path }) => path)).toEqual([
    ...['apis/orders-a1.json', 'apis/pay-ments-a2.json', 'apis/evil-a3.json'],
    ...['policies/gold-65f1.json', 'policies/unnamed.json'],
  ]);
});

test('changes are told by setting, of servers as of documents; a rename is no removal', () => {
  const before = new Map([
    [
      'redis/redis.conf',
      'save 900 1\nsave 300 10\nmaxmemory 1gb\nrequirepass ${tyk-dr:redis.password#0123456789}\n',
    ],
    ['apis/old-a1.json', '{"api_definition": {"api_id": "a1", "name": "Old", "tags": ["x"]}}'],
    ['files.json', '{"gateway-gw1": {"tyk.conf": {"type": "file", "mode": "0600", "owner": "0:0"}}}'],
  ]);
  const after = new Map([
    ['redis/redis.conf', 'save 900 1\nmaxmemory 2gb\nrequirepass ${tyk-dr:redis.password#abcdefabcd}\n'],
    ['apis/new-a1.json', '{"api_definition": {"api_id": "a1", "name": "New", "tags": ["x", "y"]}}'],
    ['files.json', '{"gateway-gw1": {"tyk.conf": {"type": "file", "mode": "0644", "owner": "0:0"}}}'],
  ]);
  const changes = diffConfig(before, after);
  expect(changeSummary(changes)).toBe('1 API changed; 2 files changed');
  expect(changes.map(({ component, name, fields }) => [component, name, fields])).toEqual([
    [
      'apis',
      'New',
      [
        { path: 'api_definition.name', old: '"Old"', new: '"New"' },
        { path: 'api_definition.tags', old: '["x"]', new: '["x","y"]' },
      ],
    ],
    ['gateway-gw1', 'tyk.conf', [{ path: 'mode', old: '"0600"', new: '"0644"' }]],
    [
      'redis',
      'redis.conf',
      [
        { path: 'maxmemory', old: '"1gb"', new: '"2gb"' },
        { path: 'requirepass', old: '"[secret 01234]"', new: '"[secret abcde]"' },
        { path: 'save', old: '["900 1","300 10"]', new: '"900 1"' },
      ],
    ],
  ]);
});
