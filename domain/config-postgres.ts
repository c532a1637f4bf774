import { z } from 'zod';
import { component, host, line, path, port, secretRef, systemUser } from './config-parts.ts';

/** The section `database` of a site, with `kind: postgresql`. */

/** The server cuts longer ones off, and then means another one. */
const identifier = line.max(63, 'expected at most 63 characters');

export const postgres = z.strictObject({
  ...component,
  service: component.service
    .optional()
    .describe(
      'How the server is started, stopped and looked at; absent for a managed one, which always runs.',
    ),
  kind: z.literal('postgresql'),
  method: z
    .enum(['pgbackrest', 'dump'])
    .default('pgbackrest')
    .describe(
      'How it is backed up and restored; a set is restored by the method that made it. `dump` (pg_dump) needs no access to files: for managed servers, and for moving to a newer major version.',
    ),
  jobs: z
    .int()
    .min(1)
    .max(64)
    .default(2)
    .describe('With the method dump: so many connections dump or restore at the same time.'),
  host: host.default('127.0.0.1'),
  port,
  name: identifier.default('tyk_analytics').describe('The database of the Dashboard.'),
  user: identifier,
  password: secretRef,
  admin: z
    .strictObject({ user: identifier.default('postgres'), password: secretRef.optional() })
    .prefault({}),
  tls: z
    .strictObject({
      caFile: path.optional().describe("The authorities that the server's certificate is checked against."),
    })
    .optional()
    .describe(
      'Connect by TLS, with the certificate and the name in it checked; an empty group ({}) trusts the authorities of the system.',
    ),
  dataDir: path.optional().describe('Needed with the method pgbackrest.'),
  configFile: path
    .optional()
    .describe('postgresql.conf, where it lies outside the data directory (as in Debian).'),
  binDir: path.default('/usr/lib/postgresql/15/bin'),
  runAs: systemUser
    .optional()
    .describe('The system user that owns the cluster; default the user of the worker.'),
  pgbackrest: z
    .strictObject({
      configFile: path.describe(
        "The site's own pgbackrest.conf, written by tyk-dr (mode 0600, user of the cluster).",
      ),
      lockPath: path,
      spoolPath: path,
      logPath: path,
    })
    .optional()
    .describe('Needed with the method pgbackrest.'),
});
