import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { journalFolders } from '../adapters/beacon/files.ts';
import type { Marks } from '../adapters/beacon/marks.ts';
import { JournalWriter, sumUp } from '../adapters/beacon/write.ts';
import { nextNumber, type MarkedStore } from '../domain/beacon.ts';
import { within } from '../adapters/process/within.ts';
import { barred, lastNumber, servesElsewhere, type LeaveRequest } from './beacon-leave.ts';
import { OffSiteJournal } from './beacon-off-site.ts';
import type { Deps } from './guard.ts';
import { markedStores, openMarks } from './watermarks.ts';

/**
 * The beacon of one site's stores: a number a second into each, and into the journal what it has acknowledged. Each
 * store has its own loop and its own deadlines: one that hangs holds up nothing but itself.
 */

const SECOND_MS = 1000;
/** An acknowledgement that takes longer is none: the connection goes, and the number is a gap. */
const ACK_MS = 5_000;
/** A store that could not be reached is asked again after this long. */
const AGAIN_MS = 2_000;
/** Whether the site still serves is asked this often; whether it was given up, before every number. */
const SERVES_EVERY_MS = 60_000;
/** An idle site looks less often than one that writes: asking its services costs processes. */
const ELSEWHERE_EVERY_MS = 10_000;
/** A number that could not be begun by now is not written any more: the process was stopped meanwhile. */
const LATE_MS = 1_500;
const SUM_UP_EVERY_MS = 3_600_000;
/** A folder that hangs must not be asked again and again: each question would hold a thread. */
const LOOK_MS = 3_000;
/** What is not written or sent by then is not: a worker that ends holds nobody up. */
const END_MS = 6_000;

export interface BeaconOptions {
  readonly deps: Deps;
  readonly deployment: string;
  readonly siteName: string;
  /** Only the stores that this worker serves; all of the site where it is not given. */
  readonly worker?: string;
  readonly say: (text: string) => void;
  readonly signal: AbortSignal;
  /** How often the journal goes to the off-site copies. */
  readonly shipEveryMs?: number;
}

/** Runs until the signal. Never throws for a store, a journal or a site that is not there: it waits, and says so. */
export async function runBeacon(options: BeaconOptions): Promise<void> {
  const { deps, deployment: name, siteName, worker, signal } = options;
  const deployment = deps.deployment(name);
  const site = deployment.sites[siteName]!;
  const folders = journalFolders(deployment, name);
  const writer = `${worker ?? 'cli'}-${randomBytes(3).toString('hex')}`;
  const say = once(options.say);
  const journals = folders.map(
    (folder) => new JournalWriter({ folder, site: siteName, writer, say: options.say }),
  );
  const offSite = new OffSiteJournal({
    ...{ copies: deployment.backup.copies ?? [], deployment: name, site: siteName, writer, folders },
    ...{ scratch: site.stateDir, secret: (reference) => deps.secret(reference), say: options.say },
    ...(options.shipEveryMs === undefined ? {} : { everyMs: options.shipEveryMs }),
  });
  const shipping = offSite.run(signal);
  const keepSeconds = deployment.beacon!.keep / SECOND_MS;
  const stores = markedStores(site, worker).map(
    (store) =>
      new StoreLoop({
        store,
        everyMs: deployment.beacon!.interval,
        say: options.say,
        open: () => openMarks(site, store, keepSeconds, deps.secret),
        acknowledged: (number, atMs) =>
          [...journals, offSite].forEach((journal) => journal.append({ number, store, atMs })),
      }),
  );
  const leave = new Leave({
    ...{ deployment: name, siteName, site, backup: deployment.backup, folders },
    worker: worker ?? site.worker,
    acknowledges: () => stores.every((store) => store.acknowledgedLately()),
  });
  let last: number | undefined;
  let begun = false;
  while (!signal.aborted) {
    const tickMs = await nextTick(deployment.beacon!.interval, signal);
    if (tickMs === undefined) break;
    const why = await leave.ask();
    if (why !== undefined) {
      for (const store of stores) store.rest();
      begun = false;
      say(`does not write: ${why}`);
      continue;
    }
    if (!begun) {
      last =
        Math.max(
          last ?? 0,
          (await within(lastNumber(folders), LOOK_MS, 'answer').catch(() => undefined)) ?? 0,
        ) || undefined;
      say(
        `writes into ${stores.map(({ store }) => store).join(' and ')} of ${siteName}, journal ${folders.join(', ')}`,
      );
      begun = true;
    }
    if (Date.now() - tickMs > LATE_MS) continue;
    last = nextNumber(tickMs, last);
    for (const store of stores) store.write(last, tickMs);
  }
  for (const store of stores) store.rest();
  await Promise.race([
    Promise.all([...journals.map((journal) => journal.close()), shipping]),
    sleep(END_MS, undefined, { ref: false }),
  ]);
}

/** On the second, so that the beacons of several hosts write the same number. */
async function nextTick(intervalMs: number, signal: AbortSignal): Promise<number | undefined> {
  const now = Date.now();
  // A few milliseconds behind it: a timer may come a little early.
  await sleep(intervalMs - (now % intervalMs) + 5, undefined, { signal }).catch(() => undefined);
  return signal.aborted ? undefined : Date.now();
}

/** Says what has changed, and not what stays as it is. */
function once(say: (text: string) => void): (text: string) => void {
  let said: string | undefined;
  return (text) => {
    if (text !== said) say(text);
    said = text;
  };
}

/** Whether the beacon may write now; one question at a time, whatever a folder does. */
class Leave {
  readonly #request: LeaveRequest;
  #asking: Promise<string | undefined> | undefined;
  #servesUntilMs = 0;
  #elsewhere: { readonly why: string; readonly untilMs: number } | undefined;
  #summedUpMs = 0;

  constructor(request: LeaveRequest) {
    this.#request = request;
  }

  async ask(): Promise<string | undefined> {
    this.#asking ??= this.#look().finally(() => (this.#asking = undefined));
    return within(this.#asking, LOOK_MS, 'answer').catch((error: unknown) => {
      this.#servesUntilMs = 0;
      return `whether it may cannot be seen: ${error instanceof Error ? error.message : String(error)}`;
    });
  }

  async #look(): Promise<string | undefined> {
    const why = await barred(this.#request);
    if (why !== undefined) {
      this.#servesUntilMs = 0;
      return why;
    }
    if (Date.now() < this.#servesUntilMs) return undefined;
    if (this.#elsewhere && Date.now() < this.#elsewhere.untilMs) return this.#elsewhere.why;
    const elsewhere = await servesElsewhere(this.#request);
    this.#elsewhere =
      elsewhere === undefined ? undefined : { why: elsewhere, untilMs: Date.now() + ELSEWHERE_EVERY_MS };
    if (elsewhere !== undefined) return elsewhere;
    this.#servesUntilMs = Date.now() + SERVES_EVERY_MS;
    void this.#sumUp();
    return undefined;
  }

  async #sumUp(): Promise<void> {
    if (Date.now() - this.#summedUpMs < SUM_UP_EVERY_MS) return;
    this.#summedUpMs = Date.now();
    for (const folder of this.#request.folders) await sumUp(folder, Date.now()).catch(() => undefined);
  }
}

interface LoopOptions {
  readonly store: MarkedStore;
  readonly everyMs: number;
  readonly open: () => Promise<Marks>;
  readonly acknowledged: (number: number, atMs: number) => void;
  readonly say: (text: string) => void;
}

/** One store: what comes while it is busy replaces what waits, and is a gap. */
class StoreLoop {
  readonly store: MarkedStore;
  readonly #options: LoopOptions;
  #marks: Marks | undefined;
  #busy = false;
  #againMs = 0;
  #failed = false;
  #resting = false;
  #acknowledgedMs = 0;

  constructor(options: LoopOptions) {
    this.store = options.store;
    this.#options = options;
  }

  write(number: number, tickMs: number): void {
    this.#resting = false;
    if (this.#busy || Date.now() < this.#againMs) return;
    this.#busy = true;
    void this.#write(number, tickMs).finally(() => (this.#busy = false));
  }

  /** Within the time that an acknowledgement may take. */
  acknowledgedLately(): boolean {
    return !this.#resting && Date.now() - this.#acknowledgedMs < ACK_MS + this.#options.everyMs;
  }

  /** Lets the connection go: the store may be about to be stopped, and nothing of ours may keep it. */
  rest(): void {
    this.#resting = true;
    this.#marks?.close();
    this.#marks = undefined;
  }

  async #write(number: number, tickMs: number): Promise<void> {
    const { open, acknowledged, say, store } = this.#options;
    let marks = this.#marks;
    try {
      if (!marks) {
        marks = await within(open(), ACK_MS, 'connection', (late) => late.close());
        if (this.#resting) return marks.close();
        this.#marks = marks;
      }
      if (Date.now() - tickMs > ACK_MS) return;
      await within(marks.write(number), ACK_MS, 'acknowledgement');
      this.#acknowledgedMs = Date.now();
      acknowledged(number, this.#acknowledgedMs);
      if (this.#failed) say(`${store} acknowledges again`);
      this.#failed = false;
    } catch (error) {
      marks?.close();
      if (this.#marks === marks) this.#marks = undefined;
      this.#againMs = Date.now() + AGAIN_MS;
      if (!this.#failed && !this.#resting)
        say(`${store} does not acknowledge: ${error instanceof Error ? error.message : String(error)}`);
      this.#failed = true;
    }
  }
}
