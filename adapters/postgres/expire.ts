import { listBackups } from './backup.ts';
import { pgbackrest, type Pgbackrest } from './pgbackrest.ts';

/** Expiry of a pgBackRest repository, decided by our retention and never as a side effect of a backup. */

/** pgBackRest names an incremental backup after its full one: `20261125-022928F_20261125-024339I`. */
const fullOf = (label: string): string => label.split('_')[0]!;

/**
 * Labels that no set needs any more, newest first: a backup goes only when nothing that stays builds on it. The
 * newest chain always stays, also where no set names it yet (a recovery's first full backup belongs to none).
 *
 * @param labels of the repository. @param needed labels of the sets that stay. @param dropped labels of those that go.
 */
export function expirable(
  labels: readonly string[],
  needed: readonly string[],
  dropped: readonly string[],
): string[] {
  const newestChain = [...labels].map(fullOf).sort().at(-1);
  const builtOn = (label: string): boolean =>
    needed.some((kept) => fullOf(kept) === fullOf(label) && kept >= label);
  const goes = (label: string): boolean =>
    dropped.includes(label) && !builtOn(label) && fullOf(label) !== newestChain;
  return labels.filter(goes).sort().reverse();
}

/** Removes the backups, then the WAL that lies before the oldest full backup that is left. */
export async function expireBackups(
  tool: Pgbackrest,
  labels: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  for (const label of labels) {
    // Expiring a full backup takes its incremental ones along.
    const present = (await listBackups(tool)).some((backup) => backup.label === label);
    if (present) await pgbackrest(tool, 'expire', [`--set=${label}`], { signal });
  }
  const fulls = (await listBackups(tool)).filter(({ type }) => type === 'full').length;
  if (labels.length > 0 && fulls > 0) {
    const rules = [`--repo1-retention-full=${fulls}`, `--repo1-retention-archive=${fulls}`];
    await pgbackrest(tool, 'expire', [...rules, '--repo1-retention-archive-type=full'], { signal });
  }
}
