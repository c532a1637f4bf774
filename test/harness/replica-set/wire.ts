import type { Socket } from 'node:net';
import { BSON, type Document } from 'mongodb';

/** The little of MongoDB's wire protocol that a server in front of another one needs. */

const OP_REPLY = 1;
const OP_QUERY = 2004;
const OP_MSG = 2013;
const HEADER = 16;

export interface Message {
  readonly raw: Buffer;
  readonly id: number;
  /** The first handshake of a driver comes as a query. */
  readonly isQuery: boolean;
  readonly command: Document;
  readonly name: string;
  readonly database: string;
}

/** Calls back with each whole message that comes in. */
export function onMessages(socket: Socket, take: (raw: Buffer) => void): void {
  let rest = Buffer.alloc(0);
  socket.on('data', (bytes: Buffer) => {
    rest = Buffer.concat([rest, bytes]);
    while (rest.length >= 4 && rest.length >= rest.readInt32LE(0)) {
      const raw = rest.subarray(0, rest.readInt32LE(0));
      rest = rest.subarray(raw.length);
      take(raw);
    }
  });
}

export function parse(raw: Buffer): Message {
  const opcode = raw.readInt32LE(12);
  const id = raw.readInt32LE(4);
  if (opcode === OP_QUERY) {
    const command = documentAt(raw, raw.indexOf(0, HEADER + 4) + 1 + 8);
    return { raw, id, isQuery: true, command, name: Object.keys(command)[0]!, database: 'admin' };
  }
  if (opcode !== OP_MSG) throw new Error(`a message of the kind ${opcode}`);
  const command = documentAt(raw, HEADER + 5);
  return {
    raw,
    id,
    isQuery: false,
    command,
    name: Object.keys(command)[0]!,
    database: String(command['$db']),
  };
}

function documentAt(raw: Buffer, from: number): Document {
  return BSON.deserialize(raw.subarray(from, from + raw.readInt32LE(from)));
}

/** Those that an insert carries, in the command or behind it. */
export function insertedBy(raw: Buffer): Document[] {
  const inside = parse(raw).command['documents'] as Document[] | undefined;
  if (inside) return inside;
  const found: Document[] = [];
  let at = HEADER + 5 + raw.readInt32LE(HEADER + 5);
  if (at >= raw.length || raw[at] !== 1) return found;
  const end = at + 1 + raw.readInt32LE(at + 1);
  at = raw.indexOf(0, at + 5) + 1;
  for (; at < end; at += raw.readInt32LE(at)) found.push(documentAt(raw, at));
  return found;
}

export function request(command: Document): Buffer {
  return packed(0, OP_MSG, [Buffer.alloc(5), BSON.serialize(command)]);
}

export function answer({ id, isQuery }: Message, document: Document): Buffer {
  const body = BSON.serialize(document);
  if (!isQuery) return packed(id, OP_MSG, [Buffer.alloc(5), body]);
  const head = Buffer.alloc(20);
  head.writeInt32LE(1, 16);
  return packed(id, OP_REPLY, [head, body]);
}

function packed(responseTo: number, opcode: number, parts: readonly Uint8Array[]): Buffer {
  const header = Buffer.alloc(HEADER);
  const message = Buffer.concat([header, ...parts]);
  message.writeInt32LE(message.length, 0);
  message.writeInt32LE(responseTo, 8);
  message.writeInt32LE(opcode, 12);
  return message;
}
