/** One look for all that ask within a while: several scrapers, or an eager one, cost no more than one. */
export function remembered<T>(look: () => Promise<T>, freshMs = FRESH_MS): () => Promise<T> {
  let last: { readonly atMs: number; readonly found: Promise<T> } | undefined;
  return () => {
    if (!last || Date.now() - last.atMs > freshMs) last = { atMs: Date.now(), found: look() };
    return last.found;
  };
}

const FRESH_MS = 10_000;
