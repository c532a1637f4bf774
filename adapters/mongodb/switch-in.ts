import { BSON, type Db, type Document } from 'mongodb';
import { DrError } from '../../domain/errors.ts';
import type { StepKey } from '../files/switch-in.ts';
import { isOwn, OWN_PREFIX } from './client.ts';

/**
 * The commit of a restored database. MongoDB cannot rename a database, and across databases it renames a collection by
 * copying it; within one it only changes a name, at once and whole. So the restore builds each collection beside the
 * old one, under a name of ours in the same database, and the switch renames: the old one aside, the new one into its
 * place. A ledger in the database tells how far a run has come, so that after a kill at any point the next call goes
 * on, or goes back. Nobody writes meanwhile: what uses the database was stopped before.
 */

/** `staging`: nothing counts yet. `staged`: whole and proven. `switching`: renaming. `undoing`, `undone`: the way back. */
type State = 'staging' | 'staged' | 'switching' | 'done' | 'undoing' | 'undone';

interface Entry {
  readonly _id: string;
  readonly step: string;
  readonly set: string;
  readonly state: State;
  /** Restored collections, and those that were there and are not in the set. */
  readonly restored: readonly string[];
  readonly extra: readonly string[];
  /** Of the set, and those that were there: as Extended JSON, for their pipelines have operators as names. */
  readonly views: string;
  readonly oldViews: string;
  /** What the step found out and proved: a worker that is killed must not take it with it. */
  readonly result?: string;
}

const LEDGER = `${OWN_PREFIX}steps`;
const DURABLE = { writeConcern: { w: 'majority', j: true } } as const;

/** Where the run restores a collection, and where it keeps the old one until close-out. */
export const stagedName = (run: string, collection: string): string =>
  `${OWN_PREFIX}new-${run}-${collection}`;
const keptName = (run: string, collection: string): string => `${OWN_PREFIX}old-${run}-${collection}`;

/** How far the step has come: `absent` where nothing whole is there, and it begins anew. */
export async function observeSwitch(
  db: Db,
  key: StepKey,
): Promise<{ state: 'absent' } | { state: 'staged' | 'done'; result: string }> {
  const entry = await read(db, key.run);
  if (!entry || entry.step !== key.step || entry.set !== key.set) return { state: 'absent' };
  const { state, result = '{}' } = entry;
  if (state === 'done') return { state, result };
  return state === 'staged' || state === 'switching' ? { state: 'staged', result } : { state: 'absent' };
}

/** Removes the rest of an attempt that was killed and opens the ledger. */
export async function beginStaging(db: Db, key: StepKey, restored: readonly string[]): Promise<void> {
  await write(db, { ...entryOf(key), state: 'staging', restored, extra: [], views: '[]', oldViews: '[]' });
  await dropPrefixed(db, stagedName(key.run, ''));
}

/** Everything is there and proven. From here on a repeated step only switches. */
export async function endStaging(
  db: Db,
  key: StepKey,
  { result, views }: { readonly result: string; readonly views: readonly View[] },
): Promise<void> {
  const entry = (await read(db, key.run))!;
  const present = (await db.listCollections().toArray()).filter(({ name }) => !isOwn(name)) as View[];
  const oldViews = present.filter(({ type }) => type === 'view');
  const extra = present.filter(({ name, type }) => type !== 'view' && !entry.restored.includes(name));
  await write(db, {
    ...entry,
    state: 'staged',
    extra: extra.map(({ name }) => name),
    views: BSON.EJSON.stringify(views, { relaxed: false }),
    oldViews: BSON.EJSON.stringify(oldViews, { relaxed: false }),
    result,
  });
}

/** @throws DrError TARGET_IS_ANOTHER where nothing whole of this step is staged. */
export async function switchIn(db: Db, key: StepKey): Promise<void> {
  const entry = await read(db, key.run);
  if (entry?.state === 'done') return;
  if (!entry || (entry.state !== 'staged' && entry.state !== 'switching')) throw notStaged(db, key);
  await write(db, { ...entry, state: 'switching' });
  await dropViews(db);
  for (const name of entry.extra) await rename(db, name, keptName(key.run, name));
  for (const name of entry.restored) await exchange(db, key.run, name);
  await makeViews(db, entry.views);
  await write(db, { ...entry, state: 'done' });
}

/** Each rename is one moment; in between, the names that are there tell what is left to do. */
async function exchange(db: Db, run: string, name: string): Promise<void> {
  const there = await names(db);
  const staged = stagedName(run, name);
  if (!there.includes(staged)) return;
  if (there.includes(name)) {
    // Made by a client in the moment between: nothing that was backed up, and nobody was promised it.
    if (there.includes(keptName(run, name))) await db.dropCollection(name);
    else await rename(db, name, keptName(run, name));
  }
  await rename(db, staged, name);
}

/** Puts the old collections back. Tolerates that nothing had happened. @returns what it did, for people. */
export async function undoSwitch(db: Db, key: StepKey): Promise<string> {
  const entry = await read(db, key.run);
  const switched = entry && ['switching', 'done', 'undoing'].includes(entry.state);
  if (switched) {
    await write(db, { ...entry, state: 'undoing' });
    await dropViews(db);
    for (const name of entry.restored) {
      const there = await names(db);
      // Only a restored one has no staged one beside it.
      if (!there.includes(stagedName(key.run, name))) await rename(db, name, stagedName(key.run, name));
      await rename(db, keptName(key.run, name), name);
    }
    for (const name of entry.extra) await rename(db, keptName(key.run, name), name);
    await makeViews(db, entry.oldViews);
    await write(db, { ...entry, state: 'undone' });
  }
  await forget(db, key.run);
  return switched || entry?.state === 'undone' ? 'the old collections are back' : 'nothing was switched';
}

/** What was kept for an undo. @returns how many collections that were. */
export async function discardOld(db: Db, run: string): Promise<number> {
  const kept = await dropPrefixed(db, keptName(run, ''));
  await forget(db, run);
  return kept;
}

async function forget(db: Db, run: string): Promise<void> {
  await dropPrefixed(db, stagedName(run, ''));
  await ledger(db).deleteOne({ _id: run }, DURABLE);
  if ((await ledger(db).countDocuments()) === 0) await db.dropCollection(LEDGER);
}

export interface View {
  readonly name: string;
  readonly type?: string | undefined;
  readonly options?: Document;
}

/** A view is a definition: it is not renamed but made anew. */
async function makeViews(db: Db, views: string): Promise<void> {
  const there = await names(db);
  for (const { name, options } of BSON.EJSON.parse(views, { relaxed: false }) as View[])
    if (!there.includes(name)) await db.command({ create: name, ...options });
}

async function dropViews(db: Db): Promise<void> {
  for (const { name, type } of await db.listCollections().toArray())
    if (type === 'view' && !isOwn(name)) await db.dropCollection(name);
}

/** Does nothing where `from` is not there. */
async function rename(db: Db, from: string, to: string): Promise<void> {
  if (!(await names(db)).includes(from)) return;
  await db.client.db('admin').command({
    renameCollection: `${db.databaseName}.${from}`,
    to: `${db.databaseName}.${to}`,
    ...DURABLE,
  });
}

async function dropPrefixed(db: Db, prefix: string): Promise<number> {
  const found = (await names(db)).filter((name) => name.startsWith(prefix));
  for (const name of found) await db.dropCollection(name);
  return found.length;
}

async function names(db: Db): Promise<string[]> {
  return (await db.listCollections({}, { nameOnly: true }).toArray()).map(({ name }) => name);
}

const ledger = (db: Db) => db.collection<Entry>(LEDGER);

async function read(db: Db, run: string): Promise<Entry | undefined> {
  return (await ledger(db).findOne({ _id: run })) ?? undefined;
}

async function write(db: Db, entry: Entry): Promise<void> {
  const { _id, ...rest } = entry;
  await ledger(db).replaceOne({ _id }, rest, { upsert: true, ...DURABLE });
}

const entryOf = ({ run, step, set }: StepKey) => ({ _id: run, step, set });

function notStaged(db: Db, { run, step }: StepKey): DrError {
  return new DrError('TARGET_IS_ANOTHER', {
    path: `database ${db.databaseName}`,
    actual: 'nothing whole of this step',
    expected: `step ${step} of ${run}`,
  });
}
