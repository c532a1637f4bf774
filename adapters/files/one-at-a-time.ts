/** Work on the same file within this worker, one after the other: a file is read, changed and written as a whole. */

const last = new Map<string, Promise<unknown>>();

/** @returns what the work returns; it begins when all earlier work of this key has ended, however that ended. */
export function oneAtATime<T>(key: string, work: () => Promise<T>): Promise<T> {
  const mine = (last.get(key) ?? Promise.resolve()).then(work, work);
  const settled = mine.catch(() => undefined);
  last.set(key, settled);
  void settled.then(() => {
    if (last.get(key) === settled) last.delete(key);
  });
  return mine;
}
