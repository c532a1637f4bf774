/**
 * Secrets that everybody can read in Tyk's own sample configurations, charts and demonstrations: left in place, they are
 * none. Pure.
 */

const PUBLISHED: readonly string[] = [
  '352d20ee67be67f6340b4c0605b044b7',
  '12345',
  'foo',
  'secret',
  'admin_secret',
  'shared_node_secret',
  'node_secret',
  'changeme',
  'changethis',
  'tyk',
  'tykgatewaysecret',
  'default',
  'password',
  'admin',
  'test',
];

/** However it is written: `CHANGE_ME`, `change-me`. */
export function isPublishedDefault(secret: string): boolean {
  const plain = (text: string): string => text.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
  return PUBLISHED.map(plain).includes(plain(secret.trim()));
}
