import { mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { jsonOf } from '../../domain/json.ts';
import { writeDurably } from '../files/durable.ts';
import { oneAtATime } from '../files/one-at-a-time.ts';

/**
 * What was sent to a copy and found whole there, by path: a file of a database backup belongs to many sets, and is
 * sent and proven once. Losing it costs time only: what it does not name is proven again.
 */

const shape = z.object({
  format: z.literal('tyk-dr/copied/v1'),
  remote: z.string(),
  files: z.record(z.string(), z.string().regex(/^[0-9a-f]{64}$/)),
});

export class CopyLedger {
  readonly #file: string;
  readonly #remote: string;
  readonly #files: Map<string, string>;
  /** Since it was last read or saved; undefined for a path that was forgotten. */
  #changes = new Map<string, string | undefined>();

  private constructor(file: string, remote: string, files: Map<string, string>) {
    this.#file = file;
    this.#remote = remote;
    this.#files = files;
  }

  /** Empty where there is none yet, where it is damaged, or where the copy has moved to another place. */
  static async open(file: string, remote: string): Promise<CopyLedger> {
    return new CopyLedger(file, remote, await read(file, remote));
  }

  has(path: string, sha256: string): boolean {
    return this.#files.get(path) === sha256;
  }

  /** The SHA-256 of what was found whole there under this path. */
  get(path: string): string | undefined {
    return this.#files.get(path);
  }

  paths(): string[] {
    return [...this.#files.keys()];
  }

  add(path: string, sha256: string): void {
    this.#files.set(path, sha256);
    this.#changes.set(path, sha256);
  }

  forget(paths: Iterable<string>): void {
    for (const path of paths) {
      this.#files.delete(path);
      this.#changes.set(path, undefined);
    }
  }

  /** WAL is shipped while a set is copied: what the other has noted since stays. */
  save(): Promise<void> {
    return oneAtATime(this.#file, () => this.#merge());
  }

  async #merge(): Promise<void> {
    await mkdir(dirname(this.#file), { recursive: true, mode: 0o700 });
    const files = await read(this.#file, this.#remote);
    for (const [path, sha256] of this.#changes)
      if (sha256 === undefined) files.delete(path);
      else files.set(path, sha256);
    this.#changes = new Map();
    const content = { format: 'tyk-dr/copied/v1', remote: this.#remote, files: Object.fromEntries(files) };
    await writeDurably(this.#file, JSON.stringify(content));
  }
}

async function read(file: string, remote: string): Promise<Map<string, string>> {
  const text = await readFile(file, 'utf8').catch(() => '');
  const known = shape.safeParse(jsonOf(text));
  const fits = known.success && known.data.remote === remote;
  return new Map(fits ? Object.entries(known.data.files) : []);
}
