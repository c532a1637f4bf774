import { open, readFile, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { DrError } from '../../domain/errors.ts';
import { fileError } from '../files/disk-error.ts';

/** The files of an append-only log as Redis 7 keeps them. */

export interface LogFile {
  readonly name: string;
  readonly kind: 'base' | 'incr';
  readonly sequence: number;
}

export const AOF_FOLDER = 'appendonlydir';

/** Base first, then what came behind it in order. Undefined where there is no log. */
export async function readLogFiles(dataDir: string): Promise<LogFile[] | undefined> {
  const file = join(dataDir, AOF_FOLDER, 'appendonly.aof.manifest');
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw fileError(file, error);
  });
  if (text === undefined) return undefined;
  const rows = [...text.matchAll(/^file (\S+) seq (\d+) type ([bih])$/gm)].flatMap(
    ([, name, sequence, type]): LogFile[] =>
      // History is what the base has taken in already.
      type === 'h' ? [] : [{ name: name!, sequence: Number(sequence), kind: type === 'b' ? 'base' : 'incr' }],
  );
  return rows.sort((a, b) => (a.kind === b.kind ? a.sequence - b.sequence : a.kind === 'base' ? -1 : 1));
}

const WINDOW_BYTES = 1 << 16;

/**
 * Where the last whole command of a log ends, outside of a transaction: Redis cuts there, too, when it is allowed to
 * load a log that was cut off.
 *
 * @throws DrError DATA_UNPROVEN where what stands before the end is no command.
 */
export async function wholeCommandsEnd(file: string): Promise<number> {
  const handle = await open(file, 'r');
  try {
    const reader = new Lines(handle, (await handle.stat()).size);
    let end = 0;
    let within = false;
    for (;;) {
      const name = await reader.command(file);
      if (name === undefined) return end;
      if (name === 'MULTI') within = true;
      else if (name === 'EXEC') within = false;
      if (!within) end = reader.at;
    }
  } finally {
    await handle.close();
  }
}

/** Reads the lines between the values and steps over the values. */
class Lines {
  at = 0;
  readonly #handle: FileHandle;
  readonly #size: number;
  #window = Buffer.alloc(0);
  #windowAt = 0;

  constructor(handle: FileHandle, size: number) {
    this.#handle = handle;
    this.#size = size;
  }

  /** The command's name in capitals, `#` for a remark; undefined where the file ends before it does. */
  async command(file: string): Promise<string | undefined> {
    const begin = this.at;
    const head = await this.#line();
    if (head === undefined) return undefined;
    if (head.startsWith('#')) return '#';
    const count = /^\*(\d+)$/.exec(head)?.[1];
    if (count === undefined) throw broken(file, begin);
    let name = '';
    for (let index = 0; index < Number(count); index += 1) {
      const line = await this.#line();
      if (line === undefined) return undefined;
      const length = /^\$(\d+)$/.exec(line)?.[1];
      if (length === undefined) throw broken(file, begin);
      const next = this.at + Number(length) + 2;
      if (next > this.#size) return undefined;
      if (index === 0) name = (await this.#slice(Number(length))).toString('latin1').toUpperCase();
      this.at = next;
    }
    return name;
  }

  async #line(): Promise<string | undefined> {
    const bytes = await this.#slice(LONGEST_LINE);
    const end = bytes.indexOf('\r\n');
    if (end < 0) return undefined;
    this.at += end + 2;
    return bytes.toString('latin1', 0, end);
  }

  async #slice(length: number): Promise<Buffer> {
    const from = this.at - this.#windowAt;
    const here = from >= 0 && from + length <= this.#window.length;
    if (!here && this.#windowAt + this.#window.length < Math.min(this.at + length, this.#size)) {
      const buffer = Buffer.allocUnsafe(Math.max(WINDOW_BYTES, length));
      const { bytesRead } = await this.#handle.read(buffer, 0, buffer.length, this.at);
      [this.#window, this.#windowAt] = [buffer.subarray(0, bytesRead), this.at];
    }
    const start = this.at - this.#windowAt;
    return this.#window.subarray(Math.max(0, start), start + length);
  }
}

/** A count, a length or a time: none needs more. */
const LONGEST_LINE = 64;

function broken(file: string, at: number): DrError {
  return new DrError('DATA_UNPROVEN', {
    what: `the append-only log ${file}`,
    expected: `a command at byte ${at}`,
    actual: 'something else',
  });
}
