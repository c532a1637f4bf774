import { z } from 'zod';
import { argv, component, host, line, path, port, secretRef } from './config-parts.ts';

/** The section `database` of a site, with `kind: mongodb`. */

/** As the server has it: at most 63 bytes, none of these characters. */
const databaseName = line.regex(/^[^/\\. "$*<>:|?]{1,63}$/, 'expected the name of a database');

export const mongodb = z.strictObject({
  ...component,
  service: component.service
    .optional()
    .describe('How the server is started, stopped and looked at; nothing for one that others run.'),
  kind: z.literal('mongodb'),
  method: z
    .literal('mongodump')
    .default('mongodump')
    .describe("A dump in mongodump's format, through the driver: no file access to the server is needed."),
  host: host
    .default('127.0.0.1')
    .describe(
      "Of a replica set: any member. With a strategy that replicates: this site's own, by the name that the set has for it.",
    ),
  port,
  replicaSet: line
    .optional()
    .describe(
      'Its name: the primary is found by itself. Needed with a strategy that replicates: one set spans the sites.',
    ),
  name: databaseName.default('tyk_analytics').describe('The database of the Dashboard.'),
  user: line.optional().describe('With the roles readWrite and dbAdmin on the database.'),
  password: secretRef.optional(),
  authSource: databaseName.default('admin').describe('The database that the user is of.'),
  tls: z
    .strictObject({
      caFile: path.optional().describe("The authorities that the server's certificate is checked against."),
    })
    .optional()
    .describe('Connect by TLS; an empty group ({}) trusts the authorities of the system.'),
  configFile: path.optional().describe("The server's own configuration file, backed up with the set."),
  dataDir: path
    .optional()
    .describe(
      "The server's own, where the worker sees it: a recovery checks that there is room, and leaves it alone. Needed with a strategy that replicates: old data of another set are laid aside.",
    ),
  mongodumpFolder: path
    .optional()
    .describe(
      'What a mongodump of yours was given as --out: a set takes that dump instead of making one of its own.',
    ),
  scratchServer: argv
    .default(['mongod', '--bind_ip', '127.0.0.1', '--port', '{port}', '--dbpath', '{dir}', '--nounixsocket'])
    .describe('Starts the private server in which sets are verified, with {port} and {dir} filled in.'),
});
