/**
 * Writes numbered rows and keys at a steady rate and journals each one that its store acknowledged. What a recovery
 * brings back is measured against this journal.
 *
 *   node dist/lab/clients/writer.js --conf writer.json
 */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync, writeSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { Secret } from '../../domain/secret.ts';
import { log, reasonOf } from '../gateway/log.ts';
import type { JournalEntry, Store } from './journal.ts';
import { PostgresStore, RedisStore } from './stores.ts';

interface WriterConf {
  readonly postgres: Address & { readonly user: string; readonly database: string };
  readonly redis: Address;
  readonly journal: string;
  readonly ratePerSecond: number;
}

interface Address {
  readonly host: string;
  readonly port: number;
  readonly passwordFile: string;
}

const TICK_MS = 10;
/** So many numbers are set aside at a time; a restart leaves the rest of them unused. */
const RESERVED = 1000;
/** More than this waiting for one store, and a number is given up instead of queued. */
const MOST_WAITING = 100;
/** A store that hangs does not keep the writer from ending. */
const STOP_MS = 2000;

const { values } = parseArgs({ options: { conf: { type: 'string', default: 'writer.json' } } });
try {
  await start(JSON.parse(await readFile(values.conf, 'utf8')) as WriterConf);
} catch (error) {
  log('error', `cannot start: ${reasonOf(error)}`);
  process.exit(1);
}

async function start(conf: WriterConf): Promise<void> {
  const password = async ({ passwordFile }: Address): Promise<Secret> =>
    new Secret((await readFile(passwordFile, 'utf8')).trim());
  const stores = [
    new PostgresStore({ ...conf.postgres, password: await password(conf.postgres) }),
    new RedisStore({ ...conf.redis, password: await password(conf.redis), database: 0 }),
  ];
  const journal = openSync(conf.journal, 'a');
  const nextSeq = numbersFrom(`${conf.journal}.reserved`);
  const waiting: Record<Store, number> = { postgres: 0, redis: 0 };
  const startedAt = performance.now();
  let written = 0;
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - startedAt) * conf.ratePerSecond) / 1000);
    if (due <= written) return;
    // After a pause the missed writes are left out: a burst would be no steady rate.
    const count = Math.min(due - written, MOST_WAITING);
    written = due;
    for (let i = 0; i < count; i += 1) {
      const seq = nextSeq();
      for (const store of stores) {
        if (waiting[store.name] >= MOST_WAITING) continue;
        waiting[store.name] += 1;
        void acknowledge(journal, store, seq).finally(() => (waiting[store.name] -= 1));
      }
    }
  }, TICK_MS);
  const stop = async (): Promise<void> => {
    clearInterval(timer);
    setTimeout(() => process.exit(0), STOP_MS);
    await Promise.all(stores.map((store) => store.close()));
    process.exit(0);
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void stop());
}

/** A write that fails, or whose answer is lost, is not journalled: nobody was promised anything. */
async function acknowledge(journal: number, store: PostgresStore | RedisStore, seq: number): Promise<void> {
  try {
    await store.write(seq);
  } catch {
    return;
  }
  const entry: JournalEntry = { store: store.name, seq, at: new Date().toISOString() };
  writeSync(journal, `${JSON.stringify(entry)}\n`);
}

/** Rising numbers, none given twice even after a kill: a block is on disk as used before its first is given. */
function numbersFrom(file: string): () => number {
  let end = readReserved(file);
  let next = end + 1;
  return () => {
    if (next > end) {
      end += RESERVED;
      writeDurably(file, `${end}\n`);
    }
    return next++;
  };
}

function readReserved(file: string): number {
  try {
    return Number(readFileSync(file, 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
    throw error;
  }
}

function writeDurably(file: string, text: string): void {
  const fd = openSync(`${file}.new`, 'w');
  writeFileSync(fd, text);
  fsyncSync(fd);
  closeSync(fd);
  renameSync(`${file}.new`, file);
}
