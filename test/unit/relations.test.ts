import { expect, test } from 'vitest';
import { keyRelations, Relations, relationText } from '../../domain/relations.ts';
import type { Json } from '../../domain/json.ts';

/** Every id in access_rights is an API, every one in apply_policies a policy; what is not is counted and named. */

const rights = (...ids: string[]): Json => Object.fromEntries(ids.map((id) => [id, { api_id: id }]));
const DEFINITIONS = {
  apis: [{ api_definition: { api_id: 'orders' } }, { api_id: 'users' }],
  policies: [
    { _id: '5f00', id: 'gold', access_rights: rights('orders', 'users') },
    { _id: { $oid: '5f01' }, access_rights: rights('gone') },
  ] as Json[],
};
const key = (apis: readonly string[], policies: readonly string[]): string =>
  JSON.stringify({ access_rights: rights(...apis), apply_policies: policies });

test('keys that name what is there are in order, by either id of a policy', () => {
  const relations = new Relations({ ...DEFINITIONS, policies: [DEFINITIONS.policies[0]!] });
  for (const session of [
    key(['orders'], ['gold']),
    key([], ['5f00']),
    key([], []),
    '{"apply_policies":null}',
  ])
    relations.add(keyRelations(session));
  expect(relations.facts()).toMatchObject({
    keys: 4,
    danglingKeys: 0,
    danglingPolicies: 0,
    unreadableKeys: 0,
  });
  expect(relationText(relations.facts())).toBe('every API and policy that 4 keys name is there');
});

test('dangling keys and policies are counted once each, and what is missing is named by how many name it', () => {
  const relations = new Relations(DEFINITIONS);
  for (const session of [
    key(['orders', 'lost', 'lost-too'], ['gone-policy']),
    key(['lost'], ['5f01']),
    key(['users'], []),
    'no JSON',
    '[]',
    JSON.stringify({ apply_policy_id: 'old-policy' }),
  ])
    relations.add(keyRelations(session));
  const facts = relations.facts();
  expect(facts).toMatchObject({ keys: 6, apis: 2, policies: 3, danglingKeys: 3, danglingPolicies: 1 });
  expect(facts).toMatchObject({ unreadableKeys: 2 });
  expect(Object.entries(facts.missingApis)).toEqual([
    ['lost', 2],
    ['gone', 1],
    ['lost-too', 1],
  ]);
  expect(facts.missingPolicies).toEqual({ 'gone-policy': 1, 'old-policy': 1 });
  expect(relationText(facts)).toContain('3 of 6 keys and 1 policy name what is not there: API lost (2)');
  expect(relationText(facts)).toContain('2 keys cannot be read');
});

test('a hundred thousand keys that each name another API that is gone do not make it large', () => {
  const relations = new Relations(DEFINITIONS);
  for (let n = 0; n < 100_000; n += 1) relations.add({ apis: [`gone-${n}`], policies: [] });
  expect(relations.facts().danglingKeys).toBe(100_000);
  expect(Object.keys(relations.facts().missingApis)).toHaveLength(10);
});
