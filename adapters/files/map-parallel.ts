/** Hashing is one core's work; several at a time keep a cold disk, or a network, busy meanwhile. */
const PARALLEL = 8;

/** Results in the order of the items; stops taking new ones after the first failure. */
export async function mapParallel<T, R>(
  items: readonly T[],
  work: (item: T) => Promise<R>,
  parallel = PARALLEL,
): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length) {
      const index = next++;
      try {
        results[index] = await work(items[index]!);
      } catch (error) {
        next = items.length;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: parallel }, worker));
  return results;
}
