import { ApplicationFailure } from '@temporalio/workflow';
import type { BackupInput, KeyTestResult } from '../domain/backup.ts';
import { ERRORS } from '../domain/error-table.ts';
import { callStep, liveSite } from './backup.ts';

/**
 * Decrypts a real object of every place with every identity.
 *
 * @param judge fail where one does not open, as a schedule wants it; a person is shown the whole table instead.
 */
export async function testKeys(input: BackupInput, judge = true): Promise<KeyTestResult> {
  const { site, database } = await liveSite(input);
  const result = (await callStep(input, site, database, 'test-keys')) as KeyTestResult;
  const first = result.tests.find(({ problem }) => problem !== undefined);
  if (!judge || !first) return result;
  const { place, identity, problem } = first;
  const details = { failed: result.failed, tests: result.tests.length, place, identity, reason: problem };
  throw ApplicationFailure.nonRetryable(ERRORS.KEYS_FAIL.message(details), 'KEYS_FAIL');
}
