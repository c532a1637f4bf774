import { lstat, mkdir, readdir, readlink } from 'node:fs/promises';
import { join, normalize } from 'node:path';
import type { Readable } from 'node:stream';
import { run } from '../process/run.ts';
import { DrError } from '../../domain/errors.ts';
import { tool } from './seal.ts';

/**
 * Configuration trees as tar archives. GNU tar keeps owners, modes, symlinks and empty folders, and is on every
 * host; what it unpacks is looked at first, entry by entry.
 */

export interface Tree {
  readonly root: string;
  /** Files and folders below root, relative. */
  readonly entries: readonly string[];
}

/**
 * The archive of those entries that exist, in a stable order. `ended` rejects when tar failed midstream.
 *
 * @throws DrError TREE_LEADS_OUTSIDE: a link whose target the archive would not hold is no backup of it.
 */
export async function packTree(
  tree: Tree,
  signal?: AbortSignal,
): Promise<{ stream: Readable; ended: Promise<void>; entries: string[] }> {
  const entries: string[] = [];
  for (const entry of tree.entries) {
    const found = await lstat(join(tree.root, entry)).catch(() => undefined);
    if (!found) continue;
    await refuseOutsideLinks(tree.root, entry, found);
    entries.push(entry);
  }
  const tar = tool(
    [
      'tar',
      '--create',
      '--file=-',
      '--sort=name',
      '--format=pax',
      `--directory=${tree.root}`,
      '--',
      ...entries,
    ],
    signal,
  );
  return { stream: tar.output, ended: tar.ended, entries };
}

/**
 * Unpacks an archive file into an empty folder. Every entry is checked before the first is written.
 *
 * @throws DrError UNSAFE_ARCHIVE naming the entry that leads outside.
 */
export async function unpackTree(archive: string, into: string, object: string): Promise<void> {
  await checkEntries(archive, object);
  await mkdir(into, { recursive: true });
  const asRoot = process.getuid?.() === 0;
  await run(
    [
      'tar',
      '--extract',
      `--file=${archive}`,
      `--directory=${into}`,
      '--preserve-permissions',
      // By name where this host knows it, else by number: the same user has another number elsewhere.
      asRoot ? '--same-owner' : '--no-same-owner',
    ],
    {
      timeoutMs: 10 * 60_000,
    },
  );
}

/** tar's own listing: type and permissions, owner, size, date, time, name and link target. */
const LISTING = /^(.)\S{9}\S* \S+ +\d+ \S+ \S+ (.*)$/;

async function checkEntries(archive: string, object: string): Promise<void> {
  const { stdout } = await run(
    ['tar', '--list', '--verbose', '--numeric-owner', '--quoting-style=escape', `--file=${archive}`],
    {
      env: { LC_ALL: 'C', TZ: 'UTC' },
      timeoutMs: 10 * 60_000,
    },
  );
  const links = new Set<string>();
  for (const line of stdout.split('\n').filter(Boolean)) {
    const [, type, rest] = LISTING.exec(line) ?? [];
    const refuse = (): never => {
      throw new DrError('UNSAFE_ARCHIVE', { object, entry: rest ?? line });
    };
    if (type === undefined || !'-dlh'.includes(type)) refuse();
    const arrow = { l: ' -> ', h: ' link to ' }[type!];
    // A name may hold the arrow itself: what cannot be told apart is not believed.
    const [name, target = '', ...more] = arrow === undefined ? [rest!] : rest!.split(arrow);
    if (name === undefined || name === '' || more.length > 0 || leadsUp(name)) refuse();
    // Nothing may be written through a link that the archive itself has made.
    if (parents(name!).some((parent) => links.has(parent))) refuse();
    if (type === 'h' && (leadsUp(target) || links.has(normalize(target)))) refuse();
    if (type === 'l') {
      if (target === '' || !linkStaysInside(name!, target)) refuse();
      links.add(normalize(name!).replace(/\/$/, ''));
    }
  }
}

function staysInside(name: string): boolean {
  const path = normalize(name);
  return !path.startsWith('/') && path !== '..' && !path.startsWith('../');
}

/** No name of ours has a step upwards, wherever it would end. */
export function leadsUp(name: string): boolean {
  return name.startsWith('/') || name.split('/').includes('..');
}

export function parents(name: string): string[] {
  const parts = normalize(name).replace(/\/$/, '').split('/');
  return parts.slice(0, -1).map((_, index) => parts.slice(0, index + 1).join('/'));
}

async function refuseOutsideLinks(
  root: string,
  entry: string,
  kind: { isSymbolicLink(): boolean; isDirectory(): boolean },
): Promise<void> {
  const path = join(root, entry);
  if (kind.isSymbolicLink()) {
    const target = await readlink(path);
    if (!linkStaysInside(entry, target)) throw new DrError('TREE_LEADS_OUTSIDE', { entry, target, root });
  }
  if (!kind.isDirectory()) return;
  for (const child of await readdir(path, { withFileTypes: true }))
    await refuseOutsideLinks(root, join(entry, child.name), child);
}

/** A step upwards behind a name could go up from wherever a link of that name leads: only at the beginning is it known. */
export function linkStaysInside(name: string, target: string): boolean {
  const upwards = target.split('/').lastIndexOf('..') + 1;
  const atBeginning = target
    .split('/')
    .slice(0, upwards)
    .every((part) => part === '..');
  return !target.startsWith('/') && atBeginning && staysInside(join(name, '..', target));
}
