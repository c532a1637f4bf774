import { z } from 'zod';
import { host, hostPort, line, name, path, secretRef, url } from './config-parts.ts';

/** The section that says where Temporal is, how it is spoken to, and what it may read. */

const certificate = z.union([path, secretRef], {
  error: 'expected an absolute path, or a reference such as env:NAME',
});

const tls = z
  .strictObject({
    ca: certificate
      .optional()
      .describe("PEM of the authority that signed the server's; default the host's own list."),
    certificate: certificate
      .optional()
      .describe("PEM of this host's certificate, where the server demands one."),
    key: secretRef.optional().describe('Its private key, PEM.'),
    serverName: host
      .optional()
      .describe("The name in the server's certificate, where it is not that of the address."),
  })
  .refine(({ certificate: own, key }) => (own === undefined) === (key === undefined), {
    error: 'expected certificate and key together, or neither',
  })
  .describe('TLS towards Temporal; with certificate and key this host proves itself as well.');

const encryption = z
  .strictObject({
    keys: z
      .array(
        z.strictObject({
          id: name.describe('Stands, readable, beside everything that the key has encrypted.'),
          key: secretRef.describe('32 bytes in base64, as openssl rand -base64 32 prints them.'),
        }),
      )
      .min(1)
      .refine((keys) => new Set(keys.map(({ id }) => id)).size === keys.length, {
        error: 'the same id twice; expected an id of its own for each key',
      })
      .describe(
        'Every key that is still needed to read; an old one stays until the last history with it is gone.',
      ),
    active: name.optional().describe('The id of the key that encrypts; default the first.'),
    uiOrigin: url
      .optional()
      .describe(
        'Where the Temporal UI is opened in a browser; default temporal.ui. For tyk-dr codec-server.',
      ),
  })
  .refine(({ keys, active }) => active === undefined || keys.some(({ id }) => id === active), {
    error: 'none of the keys has this id; expected one of theirs',
    path: ['active'],
  })
  .describe('Encrypts what workers and commands write into Temporal (AES-256-GCM), the same on every host.');

export const temporal = z.strictObject({
  address: hostPort,
  namespace: line.default('default'),
  ui: url.optional(),
  tls: tls.optional(),
  encryption: encryption.optional(),
});

export type TemporalTls = z.output<typeof tls>;
export type TemporalEncryption = z.output<typeof encryption>;
