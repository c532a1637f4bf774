import { createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';
import type { Secret } from '../../domain/secret.ts';

/** Ed25519 signatures over bytes. A public key is written `ed25519:BASE64` of its 32 bytes. */

/** What stands before the 32 bytes in the DER form of an Ed25519 public key (RFC 8410). */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

export interface Signature {
  readonly key: string;
  readonly signature: string;
}

export function signBytes(data: Buffer, privateKeyPem: Secret): Signature {
  const key = createPrivateKey(privateKeyPem.reveal());
  return { key: publicKeyOf(privateKeyPem), signature: sign(null, data, key).toString('base64') };
}

export function publicKeyOf(privateKeyPem: Secret): string {
  const der = createPublicKey(createPrivateKey(privateKeyPem.reveal())).export({
    type: 'spki',
    format: 'der',
  });
  return `ed25519:${der.subarray(SPKI_PREFIX.length).toString('base64')}`;
}

/** Why the signature does not count, or undefined where it does. */
export function signatureProblem(
  data: Buffer,
  { key, signature }: Signature,
  trusted: readonly string[],
): string | undefined {
  if (!trusted.includes(key)) return `it is signed by ${key}, which is not trusted`;
  const raw = Buffer.from(key.slice('ed25519:'.length), 'base64');
  const publicKey = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, raw]), format: 'der', type: 'spki' });
  return verify(null, data, publicKey, Buffer.from(signature, 'base64'))
    ? undefined
    : 'the content was changed after it was signed';
}
