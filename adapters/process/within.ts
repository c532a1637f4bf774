/**
 * Work that is waited for no longer than that. A plain timer: it is asked every second for years.
 *
 * @param what is waited for, for people: `answer`
 * @param late what to do with a result that nobody waits for any more
 * @throws Error `no answer within 5 s`
 */
export function within<T>(
  work: Promise<T>,
  ms: number,
  what: string,
  late?: (result: T) => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    let over = false;
    const timer = setTimeout(() => {
      over = true;
      reject(new Error(`no ${what} within ${ms / 1000} s`));
    }, ms);
    work.then(
      (result) => {
        clearTimeout(timer);
        if (over) late?.(result);
        else resolve(result);
      },
      (error: unknown) => {
        clearTimeout(timer);
        reject(error instanceof Error ? error : new Error(String(error)));
      },
    );
  });
}
