import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { openObject } from '../adapters/backup/open.ts';
import { setFolder } from '../adapters/backup/repository.ts';
import type { KeyTest, KeyTestResult } from '../domain/backup.ts';
import { DrError } from '../domain/errors.ts';
import { chooseSet } from './choose-set.ts';
import { fetchObject, type Asking } from './copies.ts';
import { guardedBackup, type BackupCall, type Deps } from './guard.ts';
import { identitiesOf, onlyCopy, setOf, withoutCopies } from './open-set.ts';

/** Whether every configured identity opens a real object of the newest set, in the repository and at every copy. */

export function createTestKeysActivities(deps: Deps) {
  return { 'test-keys': guardedBackup(deps, testKeys) };
}

async function testKeys(call: BackupCall): Promise<KeyTestResult> {
  const { backup } = call.deployment;
  await mkdir(call.site.stateDir, { recursive: true });
  const scratch = await mkdtemp(join(call.site.stateDir, 'test-keys-'));
  try {
    const places = ['local', ...backup.copies.map(({ name }) => name)];
    const tests: KeyTest[] = [];
    for (const place of places) {
      call.progress(place);
      tests.push(...(await testPlace(call, place, join(scratch, place))));
    }
    const failed = tests.filter(({ problem }) => problem !== undefined).length;
    return {
      summary: `${tests.length - failed} of ${tests.length} decryptions succeed`,
      tests,
      failed,
    };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function testPlace(call: BackupCall, place: string, scratch: string): Promise<KeyTest[]> {
  const identities = identitiesOf(call.deployment.backup);
  const notes: string[] = [];
  const asking: Asking = { ...only(call, place, scratch), note: (text) => void notes.push(text) };
  try {
    const { set, object, folder } = await objectAt(asking);
    return await Promise.all(
      identities.map(async (identity): Promise<KeyTest> => {
        const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
        const problem = await call
          .secret(identity)
          .then((secret) =>
            openObject({ folder, set, object, identity: secret, signal: call.signal }, nowhere),
          )
          .then(() => undefined, told);
        return { place, set, object: object.name, identity, ...(problem ? { problem } : {}) };
      }),
    );
  } catch (error) {
    call.signal.throwIfAborted();
    // Nothing could be opened, by nobody: a copy that does not answer has said so by a note.
    const problem = notes[0] ?? told(error);
    return identities.map((identity) => ({ place, identity, problem }));
  }
}

function told(error: unknown): string {
  if (error instanceof DrError) return error.message;
  throw error;
}

/** Asks one place alone: the repository, or one copy as if the repository were gone. */
function only(call: BackupCall, place: string, scratch: string): Asking {
  const { deployment } = call;
  return {
    ...setOf(call),
    cache: scratch,
    deployment: place === 'local' ? withoutCopies(deployment) : onlyCopy(deployment, place, scratch),
  };
}

/** The smallest object of the newest set of a place: a key opens all of a set or nothing of it. */
async function objectAt(asking: Asking) {
  const { deployment, name } = asking;
  const { manifest } = await chooseSet(asking, { backup: 'latest' });
  const object = [...manifest.objects].sort((a, b) => a.cipher.bytes - b.cipher.bytes)[0];
  if (!object) throw new DrError('OBJECT_MISSING', { object: 'of any name', set: manifest.set });
  const missing = new DrError('OBJECT_MISSING', { object: object.name, set: manifest.set });
  const folder =
    deployment.backup.copies.length === 0
      ? setFolder(deployment.backup, name, manifest.set)
      : await fetchObject(asking, manifest, object, missing);
  return { set: manifest.set, object, folder };
}
