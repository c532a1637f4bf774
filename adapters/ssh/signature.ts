import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SIGNATURE_NAMESPACE, signatureBody } from '../../domain/approvals.ts';
import { DrError } from '../../domain/errors.ts';
import { run } from '../process/run.ts';

/**
 * Signatures in OpenSSH's own format, made and verified by ssh-keygen: it asks for passphrases, speaks to agents and
 * to keys in hardware, and lets anybody verify what we have kept without us.
 */

/** Somebody may have to find the passphrase first. */
const SIGN_TIMEOUT_MS = 120_000;

/**
 * @param key a file with a private key, or with the public key of one that the agent holds
 * @returns the signature in its armour
 * @throws DrError TOOL_MISSING, TOOL_FAILED with the words of ssh-keygen
 */
export async function signText(text: string, key: string): Promise<string> {
  return withFolder(async (folder) => {
    const file = join(folder, 'text');
    await writeFile(file, text);
    await run(['ssh-keygen', '-Y', 'sign', '-n', SIGNATURE_NAMESPACE, '-f', key, file], {
      timeoutMs: SIGN_TIMEOUT_MS,
    });
    return readFile(`${file}.sig`, 'utf8');
  });
}

/** The same with the private key of a public one that the agent of this session holds. @throws as `signText` */
export async function signByAgent(text: string, publicKey: string): Promise<string> {
  return withFolder(async (folder) => {
    const file = join(folder, 'key.pub');
    await writeFile(file, `${publicKey}\n`);
    return signText(text, file);
  });
}

interface Signer {
  readonly name: string;
  /** The line of the public key. */
  readonly key: string;
}

/**
 * Why the signature does not count as the signer's over the text; undefined where it does.
 *
 * @throws DrError TOOL_MISSING where there is no ssh-keygen
 */
export async function signatureProblem(
  text: string,
  armoured: string,
  { name, key }: Signer,
): Promise<string | undefined> {
  const blob = signatureBody(armoured);
  const by = blob === undefined ? undefined : keyInside(blob);
  if (by === undefined) return 'it is not an SSH signature';
  if (by !== keyBlob(key))
    return `it was signed by the key ${fingerprintOf(by)}, which is not that of ${name} (${fingerprintOf(keyBlob(key))})`;
  return withFolder(async (folder) => {
    const [signers, signature] = [join(folder, 'signers'), join(folder, 'signature')];
    await writeFile(signers, `${name} namespaces="${SIGNATURE_NAMESPACE}" ssh-ed25519 ${keyBlob(key)}\n`);
    await writeFile(signature, armour(blob!));
    try {
      const { stdout } = await run(
        ['ssh-keygen', '-Y', 'verify', '-f', signers, '-I', name, '-n', SIGNATURE_NAMESPACE, '-s', signature],
        { input: text },
      );
      // Its exit code alone is not believed.
      return stdout.startsWith(`Good "${SIGNATURE_NAMESPACE}" signature for ${name} with ED25519 key `)
        ? undefined
        : 'ssh-keygen does not call it good';
    } catch (error) {
      if (!(error instanceof DrError) || error.code !== 'TOOL_FAILED') throw error;
      return 'the signature does not match this run, step, plan, person, time and reason';
    }
  });
}

/** `SHA256:...`, as ssh-keygen -l prints it. */
export function fingerprint(publicKey: string): string {
  return fingerprintOf(keyBlob(publicKey));
}

const keyBlob = (publicKey: string): string => publicKey.split(' ')[1] ?? '';

function fingerprintOf(blob: string): string {
  const hash = createHash('sha256').update(Buffer.from(blob, 'base64')).digest('base64');
  return `SHA256:${hash.replace(/=+$/, '')}`;
}

/** The public key that a signature names (PROTOCOL.sshsig: magic, version, key): only to say whose it is. */
function keyInside(body: string): string | undefined {
  const bytes = Buffer.from(body, 'base64');
  const start = 'SSHSIG'.length + 4;
  if (bytes.length < start + 4 || bytes.subarray(0, 6).toString('latin1') !== 'SSHSIG') return undefined;
  const length = bytes.readUInt32BE(start);
  if (length > bytes.length - start - 4) return undefined;
  return bytes.subarray(start + 4, start + 4 + length).toString('base64');
}

/** With the line breaks that ssh-keygen expects, whatever became of them on the way through a form. */
function armour(body: string): string {
  const lines = body.match(/.{1,70}/g) ?? [];
  return ['-----BEGIN SSH SIGNATURE-----', ...lines, '-----END SSH SIGNATURE-----', ''].join('\n');
}

async function withFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'tyk-dr-signature-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
