import { createHash } from 'node:crypto';
import { mkdir, open, readdir, readFile, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { auditEntry, isAuditLine, type AuditEntry } from '../../domain/lost-items.ts';
import { jsonOf } from '../../domain/json.ts';
import { writeDurably } from '../files/durable.ts';
import { mapParallel } from '../files/map-parallel.ts';
import { dayOf } from './files.ts';

/**
 * The Dashboard's audit log, brought outside line by line, without what was sent and answered: so that it still tells
 * what was lost when the site is gone with everything on it.
 */

const auditFolder = (folder: string): string => join(folder, 'audit');
const FILE = /^(\d{4}-\d{2}-\d{2})\.([a-z0-9-]+)\.[a-z0-9-]+\.jsonl$/;

const DAY_MS = 86_400_000;
const KEEP_DAYS = 31;
/** At the first look so much of the log is taken; then what is new. A longer line is none of interest. */
const MOST_BYTES = 4 << 20;

/** How a key is named where its name may be a credential: `printf %s KEY | sha256sum` tells whether it is this one. */
export const keyDigest = (key: string): string =>
  `sha256:${createHash('sha256').update(key).digest('hex').slice(0, 16)}`;

interface Cursor {
  readonly inode: number;
  readonly offset: number;
}

export interface AuditSource {
  /** The log of the Dashboard. */
  readonly file: string;
  /** Where it is kept how far was read; on the host of the log. */
  readonly cursorFile: string;
  readonly site: string;
  readonly worker: string;
  /** Every folder of the journal. */
  readonly folders: readonly string[];
}

/**
 * Takes what is new. The place is remembered once all folders have it: what is written twice counts once.
 *
 * @returns how many lines are none of an audit log in JSON, and how many writes were taken
 */
export async function shipAudit(
  source: AuditSource,
  nowMs: number,
): Promise<{ taken: number; foreign: number }> {
  const handle = await open(source.file);
  try {
    const { ino, size } = await handle.stat();
    const last = jsonOf(await readFile(source.cursorFile, 'utf8').catch(() => '')) as Cursor | undefined;
    // Another file, or one that was cut: it was rotated.
    const known = last?.inode === ino && last.offset <= size;
    let offset = known ? last.offset : last ? 0 : Math.max(0, size - MOST_BYTES);
    let [taken, foreign] = [0, 0];
    while (offset < size) {
      const { text, end } = await readLines(handle, offset, size);
      if (end === offset) break;
      const lines = text.split('\n').filter(Boolean).map(jsonOf);
      foreign += lines.filter((line) => !isAuditLine(line)).length;
      const entries = lines.flatMap((line) => auditEntry(line, keyDigest) ?? []);
      await keep(source, entries, nowMs);
      taken += entries.length;
      offset = end;
      await writeDurably(source.cursorFile, JSON.stringify({ inode: ino, offset } satisfies Cursor));
    }
    return { taken, foreign };
  } finally {
    await handle.close();
  }
}

/** Whole lines; a line without an end is left for the next look, one that is too long is stepped over. */
async function readLines(
  handle: FileHandle,
  from: number,
  size: number,
): Promise<{ text: string; end: number }> {
  const { buffer, bytesRead } = await handle.read(
    Buffer.alloc(Math.min(size - from, MOST_BYTES)),
    0,
    null,
    from,
  );
  const read = buffer.subarray(0, bytesRead);
  const end = read.lastIndexOf(0x0a) + 1;
  if (end === 0) return { text: '', end: bytesRead === MOST_BYTES ? from + bytesRead : from };
  return { text: read.toString('utf8', 0, end), end: from + end };
}

async function keep(
  { folders, site, worker }: AuditSource,
  entries: readonly AuditEntry[],
  nowMs: number,
): Promise<void> {
  if (entries.length === 0) return;
  const text = entries.map((entry) => `${JSON.stringify(entry)}\n`).join('');
  const kept = await Promise.allSettled(
    folders.map(auditFolder).map(async (folder) => {
      await mkdir(folder, { recursive: true });
      const handle = await open(join(folder, `${dayOf(nowMs)}.${site}.${worker}.jsonl`), 'a', 0o640);
      try {
        await handle.appendFile(text);
        await handle.datasync();
      } finally {
        await handle.close();
      }
      const oldest = dayOf(nowMs - KEEP_DAYS * DAY_MS);
      for (const name of await readdir(folder))
        if ((FILE.exec(name)?.[1] ?? oldest) < oldest) await rm(join(folder, name), { force: true });
    }),
  );
  const failed = kept.find((each) => each.status === 'rejected');
  // One folder suffices: what is in any of them counts.
  if (failed && !kept.some(({ status }) => status === 'fulfilled')) throw failed.reason;
}

/** All that was kept of one site's Dashboard since a moment, oldest first, each once. */
export async function readAudit(
  folders: readonly string[],
  site: string,
  since: string,
): Promise<{ readonly entries: AuditEntry[]; readonly there: boolean }> {
  const found = new Map<string, AuditEntry>();
  let there = false;
  // A line may have waited: it lies in the file of the day on which it was taken.
  const from = since.slice(0, 10);
  for (const folder of folders.map(auditFolder)) {
    const names = (await readdir(folder).catch(() => [])).filter((name) => {
      const [, day, of] = FILE.exec(name) ?? [];
      if (of === site) there = true;
      return day !== undefined && of === site && day >= from;
    });
    const texts = await mapParallel(names, (name) => readFile(join(folder, name), 'utf8').catch(() => ''));
    for (const line of texts.join('').split('\n')) {
      const entry = line === '' ? undefined : (jsonOf(line) as AuditEntry | undefined);
      if (typeof entry?.at === 'string' && typeof entry.path === 'string' && entry.at >= since)
        found.set(line, entry);
    }
  }
  return { entries: [...found.values()].sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0)), there };
}
