import { createHash } from 'node:crypto';

/** Longer names would not fit into a file's name with the longest ending, `.metadata.json.gz`. */
const LONGEST = 238;
const KEPT = 208;

/**
 * `<database>/<collection>` as mongodump names its files: percent-encoded, and cut with a digest where it is too long.
 * The collection's real name is in its metadata.
 */
export function dumpPath(database: string, collection: string): string {
  const escaped = encodeURIComponent(collection)
    .replaceAll(/%(24|26|2B|3D|40)/g, (code) => decodeURIComponent(code))
    .replaceAll(/[!'()*]/g, (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`);
  if (escaped.length <= LONGEST) return `${database}/${escaped}`;
  const digest = createHash('sha1').update(collection).digest('base64url');
  return `${database}/${escaped.slice(0, KEPT)}%24${digest}`;
}
