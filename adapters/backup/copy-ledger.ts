import { mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { writeDurably } from '../files/durable.ts';

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

  private constructor(file: string, remote: string, files: Map<string, string>) {
    this.#file = file;
    this.#remote = remote;
    this.#files = files;
  }

  /** Empty where there is none yet, where it is damaged, or where the copy has moved to another place. */
  static async open(file: string, remote: string): Promise<CopyLedger> {
    const text = await readFile(file, 'utf8').catch(() => '');
    const known = shape.safeParse(parsed(text));
    const fits = known.success && known.data.remote === remote;
    return new CopyLedger(file, remote, new Map(fits ? Object.entries(known.data.files) : []));
  }

  has(path: string, sha256: string): boolean {
    return this.#files.get(path) === sha256;
  }

  add(path: string, sha256: string): void {
    this.#files.set(path, sha256);
  }

  forget(paths: readonly string[]): void {
    for (const path of paths) this.#files.delete(path);
  }

  async save(): Promise<void> {
    await mkdir(dirname(this.#file), { recursive: true, mode: 0o700 });
    const content = {
      format: 'tyk-dr/copied/v1',
      remote: this.#remote,
      files: Object.fromEntries(this.#files),
    };
    await writeDurably(this.#file, JSON.stringify(content));
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
