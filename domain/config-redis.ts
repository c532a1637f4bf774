import { z } from 'zod';
import {
  component,
  host,
  hostPort,
  line,
  path,
  port,
  secretRef,
  service,
  systemUser,
} from './config-parts.ts';

/** The section `redis` of a site. */

export const redis = z.strictObject({
  ...component,
  service: service
    .optional()
    .describe(
      'How it is started and stopped. Left out for a managed Redis, which always runs: method commands only.',
    ),
  method: z
    .enum(['files', 'commands'])
    .default('files')
    .describe(
      'files: a streamed RDB, put back as files beside the old data. commands: SCAN and DUMP, put back with RESTORE into the running Redis; for a managed Redis, for Cluster and, where no site follows another, for Sentinel.',
    ),
  host: host.default('127.0.0.1'),
  port: port.default(6379),
  database: z.int().min(0).max(15_999).default(0).describe('The number of the database that Tyk uses.'),
  username: line.optional().describe('A user of its ACL; default the default user.'),
  password: secretRef.optional(),
  tls: z
    .strictObject({
      ca: path.optional().describe('Whose certificates count; default those that the system trusts.'),
      cert: path.optional().describe('The certificate that is shown to Redis.'),
      key: path.optional().describe('The private key of it; readable to its user only.'),
      serverName: host.optional().describe('The name that the certificate must bear; default the host.'),
    })
    .optional()
    .describe('Speak TLS to Redis and, where it has them, to its Sentinels. Files in PEM.'),
  sentinel: z
    .strictObject({
      name: line.describe('The name under which the Sentinels know the master.'),
      nodes: z
        .array(hostPort)
        .min(1)
        .describe(
          "The Sentinels. With method commands instead of host and port; with method files host and port are this site's own server, by the address under which the Sentinels know it.",
        ),
      username: line.optional(),
      password: secretRef.optional().describe('Of the Sentinels themselves.'),
    })
    .optional()
    .describe(
      'Sentinels choose the master. Method commands; with a strategy that replicates method files, and the same Sentinels on every site that serves or follows.',
    ),
  cluster: z
    .strictObject({
      nodes: z.array(hostPort).min(1).describe('Some of its nodes, instead of host and port.'),
    })
    .optional(),
  dataDir: path.optional().describe('Where Redis keeps dump.rdb or appendonlydir; needed for method files.'),
  configFile: path.optional().describe("The server's own configuration file, backed up with the set."),
  binary: line.default('redis-server').describe('Also loads backups for their proof.'),
  runAs: systemUser
    .optional()
    .describe('The system user that owns the data; default the user of the worker.'),
});
