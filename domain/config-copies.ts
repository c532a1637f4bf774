import { z } from 'zod';
import { line, path } from './config-parts.ts';
import { isSecretRef, SECRET_REF_EXPECTED } from './secret.ts';

/** The off-site copies of the backup repository, part of the schema of `tyk-dr.yaml`. */

/** Options of rclone's that hold a secret, by how rclone names them: `pass`, `secret_access_key`, `key_pem`, ... */
const HOLDS_SECRET = /(^|_)(pass|password2?|secret|key|key_pem|token|credentials|sas_url)$/;

const options = z
  .record(
    z
      .string()
      .regex(/^[a-z][a-z0-9_]{0,79}$/, "expected the name of one of rclone's options, such as key_file"),
    z.union([line.or(z.literal('')), z.number(), z.boolean()]),
  )
  .superRefine((given, context) => {
    for (const [name, value] of Object.entries(given))
      if (HOLDS_SECRET.test(name) && !isSecretRef(String(value)))
        context.addIssue({ code: 'custom', path: [name], message: SECRET_REF_EXPECTED });
  });

const inlineRemote = z.strictObject({
  type: z
    .string()
    .regex(/^[a-z0-9]{1,40}$/, 'expected the type of an rclone remote, such as sftp, s3, azureblob or gcs')
    .describe("The type of an rclone remote: 's3', 'azureblob', 'gcs', 'sftp', 'webdav', ..."),
  path: line.describe('Bucket and folder, or folder, that the copy may have for itself.'),
  options: options
    .default({})
    .describe("rclone's options of this type, without their prefix; secrets as references."),
});

export const copySchema = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,39}$/, 'expected lower-case letters, digits and dashes, at most 40')
    .refine((name) => name !== 'local', "expected another name: 'local' is the repository itself"),
  remote: z
    .union([
      line.regex(/^[A-Za-z0-9_][A-Za-z0-9_.+@ -]*:.*$/, 'expected REMOTE:PATH of an rclone remote'),
      inlineRemote,
    ])
    .describe("REMOTE:PATH of a remote in rclone's own configuration, or a remote described here."),
  rcloneConfig: path
    .optional()
    .describe("rclone's configuration file, for a remote that is named; default rclone's own."),
  prune: z
    .boolean()
    .default(false)
    .describe(
      'Whether tyk-dr backup prune deletes here as well, by the same rules. Leave it false where the writer may not delete, or where rules of the storage do it.',
    ),
});

export type CopyConfig = z.output<typeof copySchema>;
