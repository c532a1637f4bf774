/**
 * The one form of tar that a pack has: ustar, plain files only, the same bytes for the same members. What is read is
 * written again and compared, so that no byte of an archive can differ unseen, be it in a header or in padding.
 */

export interface Member {
  readonly name: string;
  readonly data: Buffer;
}

export const BLOCK = 512;
/** Of the name field; more would need another form of header. */
const NAME_BYTES = 100;

/** @param mtime of every member, Unix seconds. */
export function writeTar(members: readonly Member[], mtime: number): Buffer {
  const parts = members.flatMap(({ name, data }) => [
    header(name, data.length, mtime),
    data,
    Buffer.alloc((BLOCK - (data.length % BLOCK)) % BLOCK),
  ]);
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)]);
}

function header(name: string, bytes: number, mtime: number): Buffer {
  if (Buffer.byteLength(name) > NAME_BYTES) throw new Error(`the name of a member is too long: ${name}`);
  const block = Buffer.alloc(BLOCK);
  const put = (text: string, at: number): void => void block.write(text, at, 'latin1');
  const octal = (value: number, digits: number): string => value.toString(8).padStart(digits, '0');
  block.write(name, 0, 'utf8');
  put('0000644\0', 100);
  put('0000000\0', 108);
  put('0000000\0', 116);
  put(`${octal(bytes, 11)}\0`, 124);
  put(`${octal(mtime, 11)}\0`, 136);
  put(' '.repeat(8), 148);
  put('0', 156);
  put('ustar\x0000', 257);
  put(
    `${octal(
      block.reduce((sum, byte) => sum + byte, 0),
      6,
    )}\0 `,
    148,
  );
  return block;
}

/** The members as far as they can be made out; never throws, for what is wrong is found by comparing. */
export function readTar(archive: Buffer): Member[] {
  const members: Member[] = [];
  let at = 0;
  while (at + BLOCK <= archive.length) {
    const block = archive.subarray(at, at + BLOCK);
    const name = textOf(block.subarray(0, NAME_BYTES));
    const bytes = Number.parseInt(textOf(block.subarray(124, 136)), 8);
    if (name === '' || Number.isNaN(bytes) || at + BLOCK + bytes > archive.length) break;
    members.push({ name, data: archive.subarray(at + BLOCK, at + BLOCK + bytes) });
    at += BLOCK + Math.ceil(bytes / BLOCK) * BLOCK;
  }
  return members;
}

function textOf(field: Buffer): string {
  const end = field.indexOf(0);
  return field.subarray(0, end === -1 ? field.length : end).toString('utf8');
}
