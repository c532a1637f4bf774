import { DrError } from '../../domain/errors.ts';
import { readRepositoryFile, type Pgbackrest } from './pgbackrest.ts';

/** pgBackRest's own manifest of one backup: which files of the repository it consists of. */

export interface BackupManifest {
  readonly label: string;
  /** The archive that belongs to it, such as `15-1`. */
  readonly archiveId: string;
  readonly majorVersion: number;
  readonly systemIdentifier: string;
  /** First and last WAL segment without which the backup itself is not consistent. */
  readonly walStart: string;
  readonly walStop: string;
  /** When the backup had ended, to the second (UTC ISO). */
  readonly stoppedAt: string;
  /** Relative to the folder of the stanza's backups: `LABEL/pg_data/base/1/1259.zst`. */
  readonly files: readonly string[];
  /** Folders of tablespaces outside the data directory. */
  readonly tablespaces: readonly string[];
}

const COMPRESSION_SUFFIX: Readonly<Record<string, string>> = {
  none: '',
  zst: '.zst',
  gz: '.gz',
  lz4: '.lz4',
  bz2: '.bz2',
};

/** @throws DrError TOOL_FAILED where the label has no readable manifest. */
export async function readBackupManifest(tool: Pgbackrest, label: string): Promise<BackupManifest> {
  const sections = parseSections(
    await readRepositoryFile(tool, `backup/${tool.stanza}/${label}/backup.manifest`),
  );
  const value = <T>(section: string, key: string): T => sections.get(section)?.get(key) as T;
  const suffix = COMPRESSION_SUFFIX[value<string>('backup:option', 'option-compress-type')] ?? '';
  const files = [...(sections.get('target:file') ?? [])].map(([name, entry]) => {
    const { reference } = entry as { reference?: string };
    return `${reference ?? label}/${name}${suffix}`;
  });
  const version = value<string>('backup:db', 'db-version');
  return {
    label,
    archiveId: `${version}-${value<number>('backup:db', 'db-id')}`,
    majorVersion: Number.parseInt(version, 10),
    systemIdentifier: String(value<unknown>('backup:db', 'db-system-id')),
    walStart: value<string>('backup', 'backup-archive-start'),
    walStop: value<string>('backup', 'backup-archive-stop'),
    stoppedAt: new Date(value<number>('backup', 'backup-timestamp-stop') * 1000).toISOString(),
    files: [`${label}/backup.manifest`, `${label}/backup.manifest.copy`, ...files],
    tablespaces: [...(sections.get('backup:target') ?? new Map<string, unknown>()).keys()].filter((name) =>
      name.startsWith('pg_tblspc/'),
    ),
  };
}

/**
 * A tablespace lies outside the data directory, so that 'restore beside, then rename' would put two clusters into
 * one folder. Tyk creates none; a cluster that has one is refused, both when it is backed up and when restored.
 *
 * @throws DrError TABLESPACE_UNSUPPORTED
 */
export function refuseTablespaces(names: readonly string[]): void {
  if (names.length > 0) throw new DrError('TABLESPACE_UNSUPPORTED', { names: names.join(', ') });
}

/** pgBackRest's files are INI with a JSON value in each line. */
function parseSections(text: string): Map<string, Map<string, unknown>> {
  const sections = new Map<string, Map<string, unknown>>();
  let current = new Map<string, unknown>();
  for (const line of text.split('\n')) {
    if (line.startsWith('[') && line.endsWith(']')) {
      current = new Map();
      sections.set(line.slice(1, -1), current);
      continue;
    }
    // A file's own name may hold an equals sign; its value is the JSON object that ends the line.
    const split = line.includes('={') ? line.indexOf('={') : line.indexOf('=');
    if (split > 0) current.set(line.slice(0, split), parseValue(line.slice(split + 1)));
  }
  return sections;
}

/** The system identifier has more digits than a JavaScript number holds exactly: kept as text. */
function parseValue(text: string): unknown {
  return /^\d{16,}$/.test(text) ? text : (JSON.parse(text) as unknown);
}
