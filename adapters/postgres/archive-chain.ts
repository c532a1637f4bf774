import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DrError } from '../../domain/errors.ts';
import type { PostgresFacts } from '../../domain/manifest.ts';
import { nextSegment } from './lsn.ts';

/**
 * Whether the archive has every segment from a backup's first to the newest of its timeline, by their names alone: in
 * a moment, and before a recovery to the end of the archive changes anything. Their content is proven when they are
 * fetched.
 */

/** What initdb takes unless it is told otherwise. */
export const DEFAULT_SEGMENT_BYTES = 16 << 20;

const ARCHIVED = /^([0-9A-F]{24})-[0-9a-f]{40}(?:\.\w+)?$/;

export interface ArchiveChain {
  /** The last segment up to which there is no gap. */
  readonly through: string;
  /** The first one that is not there although a later one is. */
  readonly missing?: string;
}

/**
 * @param folder of one archive id: `archive/STANZA/15-1` below the root of the generation.
 * @throws DrError WAL_MISSING for the first segment itself, REPOSITORY_UNREADABLE.
 */
export async function archiveChain(
  folder: string,
  facts: Pick<PostgresFacts, 'walStart' | 'walSegmentBytes'>,
): Promise<ArchiveChain> {
  const timeline = facts.walStart.slice(0, 8);
  const present = new Set<string>();
  for (const log of await entries(folder)) {
    if (!/^[0-9A-F]{16}$/.test(log) || !log.startsWith(timeline)) continue;
    for (const file of await entries(join(folder, log))) {
      const segment = ARCHIVED.exec(file)?.[1];
      if (segment !== undefined) present.add(segment);
    }
  }
  if (!present.has(facts.walStart)) throw new DrError('WAL_MISSING', { segment: facts.walStart });
  return unbroken(present, facts.walStart, facts.walSegmentBytes ?? DEFAULT_SEGMENT_BYTES);
}

/** Pure. @param present names of segments of one timeline, the first among them. */
export function unbroken(present: ReadonlySet<string>, first: string, segmentBytes: number): ArchiveChain {
  const newest = [...present].reduce((latest, segment) => (segment > latest ? segment : latest), first);
  let through = first;
  while (through < newest) {
    const next = nextSegment(through, segmentBytes);
    if (!present.has(next)) return { through, missing: next };
    through = next;
  }
  return { through };
}

async function entries(path: string): Promise<string[]> {
  return readdir(path).catch((error: NodeJS.ErrnoException) => {
    throw new DrError(
      'REPOSITORY_UNREADABLE',
      { path, reason: error.code ?? error.message },
      { cause: error },
    );
  });
}
