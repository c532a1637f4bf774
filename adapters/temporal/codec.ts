import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { Payload, PayloadCodec } from '@temporalio/common';
import { DrError } from '../../domain/errors.ts';
import type { Secret } from '../../domain/secret.ts';

/**
 * Encrypts what Temporal keeps: inputs, results, updates, failures, memos, summaries and details. Not the ids of
 * workflows, the names of queues and steps, and search attributes, by which Temporal itself finds things.
 *
 * AES-256-GCM with a nonce of its own for each payload. The id of the key stands beside it, readable and bound to it,
 * so that keys can be changed while histories of before are still read.
 */

const CIPHER = 'aes-256-gcm';
const ENCODING = 'binary/encrypted';
const KEY_ID = 'encryption-key-id';
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Encrypts with one key, decrypts with all. */
export class EncryptingCodec implements PayloadCodec {
  readonly #keys: ReadonlyMap<string, Buffer>;
  readonly #active: string | undefined;

  /**
   * @param keys by their ids: 32 bytes each, in base64
   * @param active the key that encrypts; without it what is written stays readable
   * @throws DrError PAYLOAD_KEY_UNUSABLE
   */
  constructor(keys: ReadonlyMap<string, Secret>, active: string | undefined) {
    this.#keys = new Map([...keys].map(([id, secret]) => [id, bytesOf(id, secret)]));
    this.#active = active;
  }

  async encode(payloads: Payload[]): Promise<Payload[]> {
    const id = this.#active;
    return id === undefined ? payloads : payloads.map((payload) => encrypt(payload, id, this.#key(id)));
  }

  /** What was written before there was a key is read as it is. @throws DrError PAYLOAD_KEY_MISSING, PAYLOAD_DAMAGED */
  async decode(payloads: Payload[]): Promise<Payload[]> {
    return payloads.map((payload) => {
      if (text(payload.metadata?.['encoding']) !== ENCODING) return payload;
      const id = text(payload.metadata?.[KEY_ID]);
      return decrypt(payload, id, this.#key(id));
    });
  }

  #key(id: string): Buffer {
    const key = this.#keys.get(id);
    if (!key) {
      const known = [...this.#keys.keys()].join(', ') || 'none';
      throw new DrError('PAYLOAD_KEY_MISSING', { key: printable(id), known });
    }
    return key;
  }
}

/** Buffer takes almost anything for base64: only what reads back as the same is. */
function bytesOf(id: string, secret: Secret): Buffer {
  const given = secret.reveal().trim();
  const key = Buffer.from(given, 'base64');
  const unusable = (found: string): DrError => new DrError('PAYLOAD_KEY_UNUSABLE', { key: id, found });
  if (key.toString('base64') !== given) throw unusable('not base64');
  if (key.length !== KEY_BYTES) throw unusable(`${key.length} bytes`);
  return key;
}

function encrypt(payload: Payload, id: string, key: Buffer): Payload {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(Buffer.from(id));
  const plain = pack(payload);
  const data = Buffer.concat([nonce, cipher.update(plain), cipher.final()]);
  return {
    metadata: { encoding: Buffer.from(ENCODING), [KEY_ID]: Buffer.from(id) },
    data: Buffer.concat([data, cipher.getAuthTag()]),
  };
}

function decrypt(payload: Payload, id: string, key: Buffer): Payload {
  const data = Buffer.from(payload.data ?? []);
  const end = data.length - TAG_BYTES;
  const damaged = (reason: string, cause?: unknown): DrError =>
    new DrError('PAYLOAD_DAMAGED', { key: id, reason }, { cause });
  if (end < NONCE_BYTES) throw damaged('it is cut off');
  const decipher = createDecipheriv(CIPHER, key, data.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
  decipher.setAAD(Buffer.from(id));
  decipher.setAuthTag(data.subarray(end));
  try {
    return unpack(Buffer.concat([decipher.update(data.subarray(NONCE_BYTES, end)), decipher.final()]));
  } catch (error) {
    throw damaged('its seal does not hold', error);
  }
}

/** A payload as bytes: the length of its metadata in four of them, the metadata as JSON, the data. */
function pack({ metadata, data }: Payload): Buffer {
  const entries = Object.entries(metadata ?? {}).map(([name, value]) => [name, base64(value)]);
  const head = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(head.length);
  return Buffer.concat([length, head, data ?? Buffer.alloc(0)]);
}

function unpack(bytes: Buffer): Payload {
  const length = bytes.readUInt32BE();
  const head = JSON.parse(bytes.subarray(4, 4 + length).toString()) as Record<string, string>;
  const metadata = Object.entries(head).map(([name, value]) => [name, Buffer.from(value, 'base64')]);
  return {
    metadata: Object.fromEntries(metadata) as Record<string, Uint8Array>,
    data: bytes.subarray(4 + length),
  };
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
const text = (bytes: Uint8Array | null | undefined): string => Buffer.from(bytes ?? []).toString();

/** The id comes from outside and is shown to a person. */
function printable(id: string): string {
  return id.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 60);
}
