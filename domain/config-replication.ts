import { z } from 'zod';
import { durationMs, secretRef } from './config-parts.ts';

/** The section `replication` of a deployment: how the stores of its standby are kept level. */

/** A name that PostgreSQL takes without quotes, and a slot or an application may bear. */
const role = z
  .string()
  .regex(/^[a-z_][a-z0-9_]{0,62}$/, 'expected lower-case letters, digits and underscores, at most 63');

export const replication = z.strictObject({
  maxLag: durationMs
    .optional()
    .describe('A standby that is further behind is not failed over to without a person; default the RPO.'),
  database: z
    .strictObject({
      user: role
        .default('tyk_dr_replication')
        .describe('The role that a standby logs in with; made where it is missing.'),
      password: secretRef,
      keepBytes: z
        .int()
        .min(64 * 1_048_576)
        .default(8 * 1_073_741_824)
        .describe(
          'So much WAL a site keeps for a standby that is away (max_slot_wal_keep_size); one that needs more is copied anew.',
        ),
      mode: z
        .enum(['asynchronous', 'synchronous'])
        .default('asynchronous')
        .describe(
          'synchronous: a commit waits for the standby (synchronous_standby_names), so nothing is lost, and where the standby is away writes stand still.',
        ),
    })
    .optional()
    .describe('Needed where the sites have a PostgreSQL.'),
  gateways: z
    .int()
    .min(1)
    .optional()
    .describe(
      'With warm-standby: so many Gateways of the standby run, the first ones of its list; default all. A failover starts the others.',
    ),
  share: z
    .int()
    .min(1)
    .max(99)
    .default(50)
    .describe('With hot: the share of the clients that the standby serves, percent.'),
  redis: z
    .strictObject({
      backlogBytes: z
        .int()
        .min(1_048_576)
        .default(64 * 1_048_576)
        .describe('What a replica that was away for a moment can catch up without a full copy.'),
    })
    .prefault({}),
});
