import { homedir } from 'node:os';
import { join } from 'node:path';

/** The lab's MongoDB: FerretDB, which the set-up has built. It has no users, no replication, no TTL indexes. */

const VERSION = '1.24.2';

export const ferretdbBinary = (): string =>
  join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'tyk-dr', 'bin', `ferretdb-${VERSION}`);

/** How it is started, for a folder that is there. */
export function ferretdbCommand(dir: string, port: number | string): [string, ...string[]] {
  return [ferretdbBinary(), '--listen', `127.0.0.1:${port}`, '--dir', dir];
}
