/** How long the parts of an operation took. A part that is done twice adds up. */
export class Timings {
  readonly #parts = new Map<string, number>();

  async measure<T>(part: string, work: () => Promise<T>): Promise<T> {
    const startedAt = performance.now();
    try {
      return await work();
    } finally {
      this.#parts.set(part, (this.#parts.get(part) ?? 0) + performance.now() - startedAt);
    }
  }

  /** Milliseconds by part. */
  all(): Record<string, number> {
    return Object.fromEntries([...this.#parts].map(([part, durationMs]) => [part, Math.round(durationMs)]));
  }
}
