import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import type { Client } from '@temporalio/client';
import type { Config } from '../../domain/config.ts';
import { canonicalJson } from '../../domain/json.ts';
import { SEARCH_ATTRIBUTES } from '../../domain/messages.ts';
import type { RecoverInput, RecoverPlan } from '../../domain/plan.ts';
import type { RunRecord } from '../../domain/run.ts';
import { byOwnDoor } from './own-door.ts';
import { readable } from './readable.ts';

/** The history of a run as a document: every payload readable in its place, so that a person and a search can read it. */

export interface RunHistory {
  readonly json?: string;
  readonly plan?: RecoverPlan;
  /** Of a run that has ended. */
  readonly record?: RunRecord;
  /** Why there is none. */
  readonly why?: string;
}

/** Never throws: evidence is made with what there is. */
export async function runHistory(client: Client, run: string): Promise<RunHistory> {
  const query = `${SEARCH_ATTRIBUTES.run} = "${run.replaceAll(/[^A-Za-z0-9-]/g, '')}"`;
  try {
    for await (const found of client.workflow.list({ query, pageSize: 1 })) {
      const handle = client.workflow.getHandle(found.workflowId, found.runId);
      const told = await readable(client.options.loadedDataConverter, await handle.fetchHistory());
      return document(JSON.parse(historyToJSON(told)) as RawHistory);
    }
    return { why: 'the Temporal server does not have this run any more' };
  } catch (error) {
    return { why: `Temporal could not give it: ${error instanceof Error ? error.message : String(error)}` };
  }
}

/** The same for a worker, whose own connection is not that of a client. */
export async function historyByOwnDoor(config: Pick<Config, 'temporal'>, run: string): Promise<RunHistory> {
  try {
    return await byOwnDoor(config, (client) => runHistory(client, run));
  } catch (error) {
    return { why: `Temporal does not answer: ${error instanceof Error ? error.message : String(error)}` };
  }
}

interface RawHistory {
  readonly events?: readonly Record<string, unknown>[];
}

function document(raw: RawHistory): RunHistory {
  const events = (raw.events ?? []).map((event) => plain(event) as Record<string, Attributes | undefined>);
  const input = payloadOf<RecoverInput>(events[0]?.['workflowExecutionStartedEventAttributes']?.input);
  const last = events.at(-1);
  const result =
    payloadOf<RunRecord>(last?.['workflowExecutionCompletedEventAttributes']?.result) ??
    payloadOf<RunRecord>(
      last?.['workflowExecutionFailedEventAttributes']?.failure?.applicationFailureInfo?.details,
    );
  return {
    json: `${canonicalJson({ events })}\n`,
    ...(input?.plan ? { plan: input.plan } : {}),
    ...(result?.format === 'tyk-dr/run/v1' ? { record: result } : {}),
  };
}

interface Payloads {
  readonly payloads?: readonly unknown[];
}

interface Attributes {
  readonly input?: Payloads;
  readonly result?: Payloads;
  readonly failure?: { readonly applicationFailureInfo?: { readonly details?: Payloads } };
}

const payloadOf = <T>(payloads: Payloads | undefined): T | undefined =>
  payloads?.payloads?.[0] as T | undefined;

/** The same with what payloads hold in the place of payloads. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  const { metadata, data } = value as { metadata?: { encoding?: unknown }; data?: unknown };
  if (typeof metadata?.encoding === 'string') return payloadText(metadata as Record<string, string>, data);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
}

/** Bytes that are no text are left out: nobody could see what they hold. */
function payloadText(metadata: Readonly<Record<string, string>>, data: unknown): unknown {
  const bytes = (text: string): Buffer => Buffer.from(text, 'base64');
  const encoding = bytes(metadata['encoding']!).toString();
  const content = typeof data === 'string' ? bytes(data) : Buffer.alloc(0);
  const payload: Payload = { metadata: { encoding: Buffer.from(encoding) }, data: content };
  if (encoding === 'json/plain' || encoding === 'binary/null')
    return defaultPayloadConverter.fromPayload(payload) ?? null;
  return `[${encoding}, ${content.length} bytes]`;
}
