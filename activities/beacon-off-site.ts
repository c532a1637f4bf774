import { cp, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { dayOf, logName } from '../adapters/beacon/files.ts';
import { upload } from '../adapters/rclone/rclone.ts';
import { openRemote } from '../adapters/rclone/remote.ts';
import { journalText, type Ack } from '../domain/beacon-journal.ts';
import type { CopyConfig } from '../domain/config-copies.ts';
import type { Secret, SecretRef } from '../domain/secret.ts';

/**
 * The journal at the off-site copies, for the day when every folder of it is gone as well: a file an hour and writer,
 * written over once a minute while the hour lasts. Each copy has its own loop: one that is away keeps nobody waiting.
 */

/** So much of the journal a copy may lack, and the time of the upload. */
const SHIP_EVERY_MS = 60_000;
const HOUR_MS = 3_600_000;
/** What a copy has missed for longer is let go, and is a gap there. */
const KEEP_MS = 48 * HOUR_MS;
const DAY_MS = 86_400_000;
/** A worker that ends waits no longer for its last upload. */
const LAST_MS = 5_000;

export interface OffSiteOptions {
  readonly copies: readonly CopyConfig[];
  readonly deployment: string;
  readonly site: string;
  readonly writer: string;
  /** Folders of the journal: what lies in them besides numbers goes as well. */
  readonly folders: readonly string[];
  /** Where what is to be sent is laid out. */
  readonly scratch: string;
  readonly everyMs?: number;
  readonly secret: (reference: SecretRef) => Promise<Secret>;
  readonly say: (text: string) => void;
}

export class OffSiteJournal {
  readonly #options: OffSiteOptions;
  /** By the hour in which they came, Unix milliseconds of its begin. */
  readonly #hours = new Map<number, Ack[]>();

  constructor(options: OffSiteOptions) {
    this.#options = options;
  }

  append(ack: Ack): void {
    if (this.#options.copies.length === 0) return;
    const hour = Math.floor(Date.now() / HOUR_MS) * HOUR_MS;
    const own = this.#hours.get(hour);
    if (own) return void own.push(ack);
    this.#hours.set(hour, [ack]);
    for (const old of this.#hours.keys()) if (old < hour - KEEP_MS) this.#hours.delete(old);
  }

  /** Runs until the signal, and sends once more then. Never throws. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#options.copies.map((copy) => this.#serve(copy, signal)));
  }

  async #serve(copy: CopyConfig, signal: AbortSignal): Promise<void> {
    const { everyMs = SHIP_EVERY_MS, say } = this.#options;
    const sent: Sent = { hours: new Map(), files: new Map() };
    let failed = false;
    while (!signal.aborted) {
      await sleep(everyMs, undefined, { signal }).catch(() => undefined);
      const limit = signal.aborted ? AbortSignal.timeout(LAST_MS) : undefined;
      try {
        await this.#ship(copy, sent, limit);
        if (failed) say(`its journal goes to the copy ${copy.name} again`);
        failed = false;
      } catch (error) {
        if (!failed) say(`its journal does not reach the copy ${copy.name}: ${(error as Error).message}`);
        failed = true;
      }
    }
  }

  async #ship(copy: CopyConfig, sent: Sent, signal: AbortSignal | undefined): Promise<void> {
    const { deployment, site, writer, folders, scratch, secret } = this.#options;
    const hours = [...this.#hours]
      .map(([hour, acks]) => ({ hour, acks: [...acks] }))
      .filter(({ hour, acks }) => acks.length > (sent.hours.get(hour) ?? 0));
    const more = await changedFiles(folders, sent.files);
    if (hours.length + more.length === 0) return;
    await mkdir(scratch, { recursive: true, mode: 0o700 });
    const stage = await mkdtemp(join(scratch, 'beacon-ship-'));
    try {
      const names = hours.map(({ hour }) => {
        const [day, at] = [dayOf(hour), new Date(hour).toISOString().slice(11, 13)];
        return logName(day, site, `${writer}-h${at}`);
      });
      for (const [index, name] of names.entries())
        await writeFile(join(stage, name), journalText(hours[index]!.acks));
      for (const { path, from } of more) {
        await mkdir(dirname(join(stage, path)), { recursive: true });
        await cp(from, join(stage, path));
      }
      const paths = [...names, ...more.map(({ path }) => path)];
      await upload(await openRemote(copy, secret), stage, copyFolder(deployment), paths, { signal });
      for (const { hour, acks } of hours) sent.hours.set(hour, acks.length);
      for (const { path, state } of more) sent.files.set(path, state);
    } finally {
      await rm(stage, { recursive: true, force: true });
    }
  }
}

interface Sent {
  /** How many acknowledgements of each hour. */
  readonly hours: Map<number, number>;
  /** Size and time of each other file. */
  readonly files: Map<string, string>;
}

/** At a copy, as in the repository. */
export const copyFolder = (deployment: string): string => `${deployment}/beacon`;

/** What recoveries have measured, what the Dashboard's users did, and the sums of days, of the last days. */
async function changedFiles(
  folders: readonly string[],
  sent: ReadonlyMap<string, string>,
): Promise<{ path: string; from: string; state: string }[]> {
  const found = new Map<string, { path: string; from: string; state: string }>();
  const since = dayOf(Date.now() - 2 * DAY_MS);
  for (const folder of folders) {
    const names = async (below: string): Promise<string[]> =>
      (await readdir(join(folder, below)).catch(() => [])).map((name) => join(below, name));
    const recent = (path: string): boolean => path.replace(/^.*\//, '') >= since;
    const paths = [
      ...(await names('recoveries')).filter((path) => path.endsWith('.json')),
      ...(await names('audit')).filter(recent),
      ...(await names('')).filter((path) => path.endsWith('.summary.json') && recent(path)),
    ];
    for (const path of paths) {
      const from = join(folder, path);
      const { size, mtimeMs } = await stat(from).catch(() => ({ size: -1, mtimeMs: 0 }));
      const state = `${size} ${mtimeMs}`;
      if (size >= 0 && !found.has(path) && sent.get(path) !== state) found.set(path, { path, from, state });
    }
  }
  return [...found.values()];
}
