import { readFile } from 'node:fs/promises';
import type { WorkflowHandle } from '@temporalio/client';
import { decodeFromPayloadsAtIndex } from '@temporalio/common/lib/internal-non-workflow/index.js';
import type { Deployment } from '../domain/config.ts';
import { DrError } from '../domain/errors.ts';
import type { RecoverInput } from '../domain/plan.ts';
import type { PlanDocument } from '../domain/plan-document.ts';
import { planDocument } from '../runbooks/plan-document.ts';
import { findRun, withDoor } from './client.ts';

/** A plan of before: one that was written into a file, or that of a run, which keeps its own to its end. */

/** @throws DrError BAD_ARGUMENT, UNKNOWN_RUN, TEMPORAL_UNREACHABLE */
export async function earlierPlan(
  configPath: string | undefined,
  deployment: Deployment,
  old: string,
): Promise<PlanDocument> {
  const text = await readFile(old, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENAMETOOLONG') return undefined;
    throw unusable(old, error);
  });
  if (text !== undefined) return parsed(old, text);
  return withDoor(configPath, async (door) => {
    const input = await inputOf(await findRun(door, old));
    // What a run knows by name only is told in the words of today's configuration.
    return planDocument(input.plan, {
      planDigest: input.planDigest,
      configDigest: input.configDigest,
      deployment,
      forecast: 'that of the run is in its report',
    });
  });
}

function parsed(file: string, text: string): PlanDocument {
  try {
    const document = JSON.parse(text) as Partial<PlanDocument> | null;
    if (document?.format === 'tyk-dr/plan/v1' && document.plan && Array.isArray(document.steps))
      return document as PlanDocument;
  } catch (error) {
    throw unusable(file, error);
  }
  throw unusable(file);
}

function unusable(file: string, cause?: unknown): DrError {
  return new DrError(
    'BAD_ARGUMENT',
    { argument: '--diff', value: file, expected: 'a file written by tyk-dr plan --format json, or a run id' },
    { cause },
  );
}

async function inputOf(handle: WorkflowHandle): Promise<RecoverInput> {
  const { events } = await handle.fetchHistory();
  const payloads = events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads;
  if (!payloads?.length) throw new DrError('UNKNOWN_RUN', { run: handle.workflowId });
  return decodeFromPayloadsAtIndex<RecoverInput>(handle.client.options.loadedDataConverter, 0, payloads);
}
