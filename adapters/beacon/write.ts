import { constants } from 'node:fs';
import { mkdir, open, readdir, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { journalText, summaryOfDay, type Ack } from '../../domain/beacon-journal.ts';
import { syncFolder, writeDurably } from '../files/durable.ts';
import { dayOf, logName, recoveriesFolder, recoveryFile, sortFiles, summaryName } from './files.ts';
import { readDay, type Recovery } from './read.ts';

/** Appends to the journal at one place. A place that hangs or is full keeps nobody waiting: it has its own queue. */

/** Acknowledgements of one second come within this time: one line, one fsync. */
const GATHER_MS = 100;
/** What waits while a place cannot be written: an hour of two stores. Older ones are let go, and are a gap there. */
const MOST_WAITING = 7_200;
const AGAIN_MS = 1_000;
const DAY_MS = 86_400_000;
/** A day is summed up when nobody can still be writing to it. */
const SETTLED_MS = 2 * 3_600_000;
/** Single lines are kept for so long beside the sums. */
const RAW_DAYS = 31;

/** A new file; each write ends when its bytes are on the disk: one wait instead of two. */
const DURABLE =
  constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_APPEND | constants.O_DSYNC;

export interface WriterOptions {
  readonly folder: string;
  readonly site: string;
  /** Different for every process that writes: files are never shared. */
  readonly writer: string;
  readonly say: (text: string) => void;
}

export class JournalWriter {
  readonly #options: WriterOptions;
  readonly #waiting: Ack[] = [];
  #file: { readonly day: string; readonly handle: FileHandle } | undefined;
  #files = 0;
  #busy = false;
  #working: Promise<void> = Promise.resolve();
  #closed = false;
  #failed = false;

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  /** Returns at once; the line is on the disk a moment later. */
  append(ack: Ack): void {
    this.#waiting.push(ack);
    if (this.#waiting.length > MOST_WAITING) this.#waiting.splice(0, this.#waiting.length - MOST_WAITING);
    if (this.#busy) return;
    this.#busy = true;
    this.#working = this.#work();
  }

  /** Writes what waits, once, and lets the file go. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#working;
    await this.#file?.handle.close().catch(() => undefined);
  }

  async #work(): Promise<void> {
    while (this.#waiting.length > 0) {
      if (!this.#closed) await sleep(GATHER_MS);
      const acks = [...this.#waiting];
      try {
        await this.#write(acks);
        this.#waiting.splice(0, this.#waiting.indexOf(acks.at(-1)!) + 1);
        if (this.#failed) this.#options.say(`writes to ${this.#options.folder} again`);
        this.#failed = false;
      } catch (error) {
        await this.#lose(error);
        if (this.#closed) return;
        await sleep(AGAIN_MS);
      }
    }
    this.#busy = false;
  }

  async #write(acks: readonly Ack[]): Promise<void> {
    const { handle } = await this.#open(dayOf(Date.now()));
    // What was written is on the disk: the file was opened so.
    await handle.appendFile(journalText(acks));
  }

  async #open(day: string): Promise<{ readonly handle: FileHandle }> {
    if (this.#file?.day === day) return this.#file;
    await this.#file?.handle.close();
    this.#file = undefined;
    const { folder, site, writer } = this.#options;
    await mkdir(folder, { recursive: true });
    this.#files += 1;
    const handle = await open(join(folder, logName(day, site, `${writer}-${this.#files}`)), DURABLE, 0o640);
    this.#file = { day, handle };
    await syncFolder(folder);
    return this.#file;
  }

  /** Half a line may be in the file now: the next one is written to another. */
  async #lose(error: unknown): Promise<void> {
    if (!this.#failed)
      this.#options.say(
        `cannot write to ${this.#options.folder}: ${(error as Error).message}; what is acknowledged waits`,
      );
    this.#failed = true;
    await this.#file?.handle.close().catch(() => undefined);
    this.#file = undefined;
  }
}

/** Sums up the days that are over, and lets old single lines go. Repeatable; two at once write the same. */
export async function sumUp(folder: string, nowMs: number): Promise<void> {
  const { logs, summaries } = sortFiles(await readdir(folder).catch(() => []));
  const done = new Set(summaries);
  for (const [day, files] of logs) {
    if (Date.parse(`${day}T00:00:00Z`) + DAY_MS + SETTLED_MS > nowMs) continue;
    if (!done.has(day)) {
      const summary = summaryOfDay(day, await readDay(folder, files));
      await writeDurably(join(folder, summaryName(day)), `${JSON.stringify(summary)}\n`, 0o640);
    } else if (day < dayOf(nowMs - RAW_DAYS * DAY_MS))
      for (const { name } of files) await rm(join(folder, name), { force: true });
  }
}

export async function writeRecovery(folder: string, recovery: Recovery): Promise<void> {
  await mkdir(recoveriesFolder(folder), { recursive: true });
  const file = recoveryFile(folder, recovery.run, recovery.worker);
  await writeDurably(file, `${JSON.stringify(recovery)}\n`, 0o640);
}
