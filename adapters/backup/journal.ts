import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BackupConfig } from '../../domain/config.ts';
import { jsonOf } from '../../domain/json.ts';
import { JOURNAL_FORMAT, type Entry, type JournalEvent } from '../../domain/journal.ts';
import { fileError } from '../files/disk-error.ts';
import { createDurably } from '../files/durable.ts';
import { mapParallel } from '../files/map-parallel.ts';
import { unlessMissing } from './signed.ts';

/**
 * The journal of findings, lessons and reviews, beside the records of runs: a file an event, under a name that nobody
 * else takes, so that two people at two hosts lose nothing of each other.
 */

type Repository = Pick<BackupConfig, 'repository'>;

const EVENT_FILE = /^\d{8}T\d{9}Z-[0-9a-f]{8}\.json$/;

/** @throws DrError DISK_FAILED */
export async function appendEvent(
  config: Repository,
  deployment: string,
  event: JournalEvent,
): Promise<Entry> {
  const folder = journalFolder(config, deployment);
  const id = `${event.at.replaceAll(/[-:.]/g, '')}-${randomBytes(4).toString('hex')}`;
  const file = join(folder, `${id}.json`);
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const text = `${JSON.stringify({ format: JOURNAL_FORMAT, ...event }, undefined, 2)}\n`;
    if (!(await createDurably(file, text))) throw new Error(`${file} is there already`);
  } catch (error) {
    throw fileError(folder, error);
  }
  return { ...event, id };
}

export interface Journal {
  /** Oldest first. */
  readonly entries: readonly Entry[];
  /** Files that are no events of ours any more. */
  readonly damaged: readonly string[];
}

/** @throws DrError REPOSITORY_UNREADABLE */
export async function readJournal(config: Repository, deployment: string): Promise<Journal> {
  const folder = journalFolder(config, deployment);
  const names = ((await unlessMissing(folder, readdir(folder))) ?? []).filter((name) =>
    EVENT_FILE.test(name),
  );
  const read = await mapParallel(names.sort(), async (name) => {
    const text = await unlessMissing(join(folder, name), readFile(join(folder, name), 'utf8'));
    const { format, ...event } = (jsonOf(text ?? '') ?? {}) as { format?: string } & JournalEvent;
    const sound = format === JOURNAL_FORMAT && typeof event.kind === 'string' && typeof event.at === 'string';
    return sound ? { ...event, id: name.slice(0, -'.json'.length) } : join(folder, name);
  });
  return {
    entries: read.filter((each): each is Entry => typeof each !== 'string'),
    damaged: read.filter((each): each is string => typeof each === 'string'),
  };
}

function journalFolder({ repository }: Repository, deployment: string): string {
  return join(repository, deployment, 'journal');
}
