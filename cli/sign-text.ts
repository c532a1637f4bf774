import { access, readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fingerprint, signByAgent, signText } from '../adapters/ssh/signature.ts';
import type { ApproverConfig } from '../domain/config.ts';
import { DrError } from '../domain/errors.ts';

/** A person's signature over a text, by the SSH key that the configuration knows as theirs. */

/** By the named key; else by the agent that holds the approver's; else by the key where people have it. */
export async function signatureOf(
  text: string,
  who: ApproverConfig | undefined,
  actor: string,
  keyFile: string | undefined,
): Promise<string> {
  const cannot = (reason: string, cause: unknown): DrError =>
    new DrError('NO_SIGNING_KEY', { actor, reason }, { cause });
  const file = keyFile ?? (await usualKey(who!.key!));
  if (keyFile !== undefined) {
    await access(keyFile).catch((error: unknown) => {
      throw new DrError(
        'BAD_ARGUMENT',
        { argument: '--key', value: keyFile, expected: 'a file that can be read' },
        { cause: error },
      );
    });
    return signText(text, keyFile).catch((error: unknown) => {
      throw wordsOf(error, (reason) => cannot(reason, error));
    });
  }
  try {
    return await signByAgent(text, who!.key!);
  } catch (error) {
    if (file === undefined)
      throw wordsOf(error, () =>
        cannot(`the agent does not hold ${fingerprint(who!.key!)}, and ${USUAL_KEY} is not it`, error),
      );
  }
  return signText(text, file).catch((error: unknown) => {
    throw wordsOf(error, (reason) => cannot(reason, error));
  });
}

const USUAL_KEY = '~/.ssh/id_ed25519';

/** Where people have their key, if it is the approver's. */
async function usualKey(publicKey: string): Promise<string | undefined> {
  const file = join(homedir(), '.ssh', 'id_ed25519');
  const own = await readFile(`${file}.pub`, 'utf8').catch(() => '');
  return own.split(/\s+/)[1] === publicKey.split(' ')[1] ? file : undefined;
}

/** What ssh-keygen said, in the place of how it ended. */
function wordsOf(error: unknown, make: (reason: string) => DrError): unknown {
  if (!(error instanceof DrError) || error.code !== 'TOOL_FAILED') return error;
  return make(String(error.details['output']).trim().split('\n').at(-1) ?? 'ssh-keygen failed');
}
