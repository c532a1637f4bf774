import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Json } from '../../domain/json.ts';
import { findSecrets, insertSecrets, scrubber, type KnownSecret, type Refer } from '../../domain/scrub.ts';

/** No secret gets through, wherever it stands and however it is encoded; and each can be put back. */

const values = new Map<string, string>();
const refer: Refer = (name, value) => {
  const fingerprint = createHash('sha256').update(value).digest('hex').slice(0, 10);
  values.set(fingerprint, value);
  return `\${tyk-dr:${name}#${fingerprint}}`;
};
const resolve = (_name: string, fingerprint: string): string | undefined => values.get(fingerprint);
const never = (reference: string): never => {
  throw new Error(`${reference} leads nowhere`);
};

function scrub(text: string, known: readonly KnownSecret[] = []): string {
  return scrubber([...known, ...findSecrets(text)], refer)(text);
}
const base64 = (text: string): string => Buffer.from(text).toString('base64');

const S = 'S3cr3t-9f8e7d6c';

describe('a value is secret by where it stands', () => {
  const DOCUMENTS: Record<string, Json> = {
    'tyk.conf': {
      secret: S,
      storage: { password: S },
      security: { private_certificate_encoding_secret: S },
      slave_options: { api_key: S },
    },
    'tyk_analytics.conf': {
      license_key: S,
      admin_secret: S,
      tyk_api_config: { Secret: S },
      email_backend: { settings: { SMTPPassword: S, ClientKey: S } },
      storage: { main: { connection_string: `host=db port=5432 user=tyk password=${S} sslmode=require` } },
      mongo_url: `mongodb://tyk:${S}@db:27017/tyk_analytics?authSource=admin`,
    },
    'pump.conf': {
      pumps: {
        splunk: { meta: { collector_token: S } },
        sql: { meta: { connection_string: `password='${S}'` } },
      },
    },
    'an API': {
      jwt_source: base64(S),
      global_headers: { Authorization: `Bearer ${S}`, 'X-Upstream-Auth': S },
      upstream_auth: { basic_auth: { password: S }, oauth: { client_credentials: { client_secret: S } } },
      version_data: {
        versions: { v1: { extended_paths: { transform_headers: [{ add_headers: { 'X-Api-Key': S } }] } } },
      },
      event_handlers: { events: { QuotaExceeded: [{ handler_meta: { header_map: { 'X-Anything': S } } }] } },
      hook_references: [{ hook: { headers: { plain: S } } }],
      proxy: { target_url: `https://user:${S}@upstream.example/?api_key=${S}` },
    },
    'an OpenAPI document': {
      'x-tyk-api-gateway': {
        middleware: { global: { transformRequestHeaders: { add: [{ name: 'Authorization', value: S }] } } },
        server: { authentication: { securitySchemes: { jwt: { source: base64(S) } } } },
        upstream: { authentication: { oauth: { password: { clientSecret: S } } } },
      },
    },
    'a document inside a string': { config_data: JSON.stringify({ password: S, shown: 1 }) },
    'a key': {
      inline: '-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----',
      oldKey: base64('-----BEGIN RSA PRIVATE KEY-----\nabc'),
    },
  };

  test.each(Object.entries(DOCUMENTS))('in %s', (_name, document) => {
    const scrubbed = scrub(JSON.stringify(document));
    for (const secret of [S, base64(S), 'PRIVATE KEY', base64('-----BEGIN RSA')])
      expect(scrubbed).not.toContain(secret);
    expect(JSON.parse(insertSecrets(scrubbed, undefined, resolve, never))).toEqual(document);
  });

  test.each([
    [
      'redis.conf',
      `requirepass ${S}\nmasterauth "${S}"\nuser app on >${S} ~* +@all\nrename-command CONFIG ${S}\n`,
    ],
    [
      'postgresql.conf',
      `primary_conninfo = 'host=a user=b password=${S}'\nssl_passphrase_command = 'echo ${S}'\n`,
    ],
    ['an environment', `export TYK_GW_SECRET=${S}\nTYK_DB_LICENSEKEY="${S}"\n`],
    [
      'a plugin',
      `var apiKey = "${S}";\nconst h = {"X-Auth-Token": '${S}'};\nfetch("https://u:${S}@host/");\n`,
    ],
    ['YAML', `smtp:\n  password: ${S} # of the relay\n`],
  ])('in %s', (_name, text) => {
    const scrubbed = scrub(text);
    expect(scrubbed).not.toContain(S);
    expect(insertSecrets(scrubbed, undefined, resolve, never)).toBe(text);
  });

  test('and what is none stays readable', () => {
    const document = {
      auth: { auth_header_name: 'Authorization', use_certificate: true },
      definition: { key: 'x-version' },
      hash_keys: true,
      jwt_source: base64('https://idp.example/.well-known/jwks.json'),
      policies: { policy_source: 'service' },
      proxy: { target_url: 'https://upstream.example/v1?page=2' },
      storage: { host: '10.0.0.7', port: 6379, password: '' },
      tags: ['tier-critical'],
    };
    expect(JSON.parse(scrub(JSON.stringify(document)))).toEqual(document);
    const code = 'var total = getPassword(user); // the password: never log it\n';
    expect(scrub(code)).toBe(code);
  });
});

test('a secret that stands in one place is found in every other, encoded or not', () => {
  const known = [{ name: 'redis.password', value: 'p@ss/w"rd\'1' }];
  const [secret] = known.map(({ value }) => value) as [string];
  const shown = scrub(
    JSON.stringify({
      note: `is ${secret}!`,
      [secret]: 1,
      url: encodeURIComponent(secret),
      b: base64(secret),
      code: base64(`x = '${secret}'`),
    }),
    known,
  );
  for (const form of [
    secret,
    JSON.stringify(secret).slice(1, -1),
    encodeURIComponent(secret),
    base64(secret),
  ])
    expect(shown).not.toContain(form);
});

const secretText = fc
  .string({ minLength: 6, maxLength: 40, unit: 'grapheme-ascii' })
  .filter(
    (text) =>
      text.trim() === text &&
      !/[{}]/.test(text) &&
      !'${tyk-dr:set#}'.includes(text) &&
      !/^[0-9a-f]+$/.test(text),
  );
const name = fc.constantFrom(
  'a',
  'name',
  'secret',
  'target_url',
  'headers',
  'value',
  'Authorization',
  'source',
);

function documents(secrets: readonly string[]): fc.Arbitrary<Json> {
  const secret = fc.constantFrom(...secrets);
  const piece = fc.oneof(
    fc.string({ maxLength: 8 }).filter((text) => !text.includes('${')),
    secret,
    secret.map(encodeURIComponent),
    secret.map(base64),
    secret.map((text) => base64(`before ${text} after`)),
  );
  const text = fc.array(piece, { maxLength: 4 }).map((pieces) => pieces.join(' '));
  const { tree } = fc.letrec<{ tree: Json }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4 },
      fc.oneof(text, fc.boolean(), fc.integer({ max: 999, min: 0 }), fc.constant(null)),
      fc.array(tie('tree'), { maxLength: 3 }),
      fc.dictionary(fc.oneof(name, text), tie('tree'), { maxKeys: 4 }),
    ),
  }));
  return tree.map((inner) => ({ inner }));
}

test('property: no known secret is left in any document, and putting the secrets back gives the document', () => {
  const cases = fc
    .array(secretText, { minLength: 1, maxLength: 4 })
    .chain((secrets) => fc.tuple(fc.constant(secrets), documents(secrets)));
  fc.assert(
    fc.property(cases, ([secrets, document]) => {
      const known = secrets.map((value, at) => ({ name: `known.${at}`, value }));
      const scrubbed = scrub(JSON.stringify(document), known);
      // Whatever names a reference bears are ours, not the document's.
      const shown = scrubbed.replaceAll(/\$\{tyk-dr:[\w.]+#[0-9a-f]{10}\}/g, '\u0000');
      for (const secret of secrets)
        for (const form of [
          secret,
          JSON.stringify(secret).slice(1, -1),
          encodeURIComponent(secret),
          base64(secret),
        ])
          expect(shown.includes(form), `${JSON.stringify(form)} in ${shown}`).toBe(false);
      for (const [token] of shown.matchAll(/[A-Za-z0-9+/]{12,}={0,2}/g))
        for (const secret of secrets) expect(Buffer.from(token, 'base64').toString()).not.toContain(secret);
      expect(JSON.parse(insertSecrets(scrubbed, undefined, resolve, never))).toEqual(document);
    }),
    { numRuns: 300 },
  );
});

test('a reference that nobody can resolve takes what stands in its place now, and is named where nothing does', () => {
  const scrubbed = scrub(JSON.stringify({ smtp: { password: 'old-password-1' }, list: [] }));
  const unknown: string[] = [];
  const now = JSON.stringify({ smtp: { password: 'new-password-2' } });
  const insert = (there: string | undefined): unknown =>
    JSON.parse(
      insertSecrets(
        scrubbed,
        there,
        () => undefined,
        (reference) => unknown.push(reference),
      ),
    );
  expect(insert(now)).toEqual({ smtp: { password: 'new-password-2' }, list: [] });
  expect(unknown).toEqual([]);
  insert(undefined);
  expect(unknown).toHaveLength(1);
});
