import { randomBytes } from 'node:crypto';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Client, type WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure, defaultPayloadConverter, type Payload } from '@temporalio/common';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { bundleWorkflowCode, DefaultLogger, Worker } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { serveCodec } from '../../adapters/temporal/codec-server.ts';
import { FAILURE_CONVERTER, temporalSettings } from '../../adapters/temporal/connection.ts';
import { readable } from '../../adapters/temporal/readable.ts';
import { WORKFLOW_QUEUE, workerQueue } from '../../domain/messages.ts';
import type { RunRecord } from '../../domain/run.ts';
import { eventually } from '../harness/gateway.ts';
import { fakes, recoverInput } from '../harness/recover-input.ts';
import { startTemporal } from '../harness/temporal.ts';

/** A whole run with the codec on: Temporal keeps nothing that it need not, and people still see everything. */

const UI = 'http://127.0.0.1:8233';
let environment: TestWorkflowEnvironment;
let client: Client;
let plainClient: Client;
let server: Server;
let running: { workers: Worker[]; ends: Promise<void>[] };

const SECRETIVE = [
  'Zoe Commander',
  'the data centre burns',
  'disk sda is gone',
  'set-of-tuesday',
  'repaired by hand',
];

beforeAll(async () => {
  environment = await startTemporal();
  process.env['TYK_DR_TEST_K1'] = randomBytes(32).toString('base64');
  const encryption = { keys: [{ id: 'k1', key: 'env:TYK_DR_TEST_K1' as const }] };
  const { dataConverter } = await temporalSettings({
    temporal: { address: environment.address, namespace: 'default', encryption },
  });
  const { connection } = environment;
  client = new Client({ connection, dataConverter });
  plainClient = new Client({ connection });
  server = await serveCodec(dataConverter.payloadCodecs![0]!, '127.0.0.1:0', [UI]);
  const workflowBundle = await bundleWorkflowCode({
    workflowsPath: new URL('../../workflows/index.ts', import.meta.url).pathname,
    failureConverterPath: FAILURE_CONVERTER,
    logger: new DefaultLogger('WARN'),
  });
  let attempts = 0;
  const { activities } = fakes({
    'check-backup': async () => ({
      summary: 'set-of-tuesday is whole',
      set: {
        ...{ set: 'set-of-tuesday', site: 'primary', createdAt: '2026-01-01T00:00:00.000Z' },
        ...{ verified: true, bytes: 1, versions: {} },
      },
      forecast: { totalMs: 1, parts: [] },
    }),
    'restore-redis-data': async () => {
      attempts += 1;
      if (attempts > 1) return { summary: 'restored' };
      throw ApplicationFailure.create({
        message: 'disk sda is gone',
        type: 'DISK_FAILED',
        nonRetryable: true,
        details: [{ hint: 'a new disk' }],
      });
    },
  });
  const shared = { connection: environment.nativeConnection, dataConverter };
  const workers = await Promise.all([
    Worker.create({ ...shared, taskQueue: WORKFLOW_QUEUE, workflowBundle }),
    ...['primary', 'dr'].map((name) =>
      Worker.create({ ...shared, taskQueue: workerQueue(name), activities }),
    ),
  ]);
  running = { workers, ends: workers.map((worker) => worker.run()) };
}, 120_000);

afterAll(async () => {
  for (const worker of running.workers) worker.shutdown();
  await Promise.all(running.ends);
  server.close();
  await environment.teardown();
});

describe('a run with the codec on', () => {
  let handle: WorkflowHandle;
  let record: RunRecord;

  test('fails, is decided on, and ends like any other', async () => {
    const input = recoverInput({}, undefined, { actor: SECRETIVE[0]!, reason: SECRETIVE[1]! });
    handle = await client.workflow.start('recover', {
      workflowId: `run/${input.run}`,
      taskQueue: WORKFLOW_QUEUE,
      args: [input],
      memo: { actor: SECRETIVE[0] },
      staticSummary: SECRETIVE[1]!,
    });
    await eventually(async () => {
      const { waits } = await handle.query<RunRecord>('record');
      expect(waits).toHaveLength(1);
    });
    const seen = await handle.query<RunRecord>('record');
    expect(JSON.stringify(seen)).toContain('disk sda is gone');
    await handle.executeUpdate('retry', { args: [{ actor: SECRETIVE[0], reason: SECRETIVE[4] }] });
    record = (await handle.result()) as RunRecord;
    expect(record).toMatchObject({ outcome: 'RECOVERED', actor: SECRETIVE[0] });
    expect(JSON.stringify(record.decisions)).toContain(SECRETIVE[4]);
  });

  test('leaves no plain word in the history, the memo, or what is listed', async () => {
    const { events } = await plainClient.workflow.getHandle(handle.workflowId).fetchHistory();
    const { raw } = await handle.describe();
    const kept = `${plainText(events)} ${plainText(raw)}`;
    for (const word of SECRETIVE) expect(kept).not.toContain(word);
    // What Temporal needs to find things, and nothing secret.
    expect(kept).toContain('restore-redis-data');
  });

  test('is read by our own commands, errors and summaries of steps', async () => {
    const { events } = await readable(client.options.loadedDataConverter, await handle.fetchHistory());
    const told = plainText(events);
    expect(told).toContain('set-of-tuesday is whole');
    expect(told).toContain('disk sda is gone');
    expect(String(events![0]!.eventId)).toBe('1');
  });

  test('shows the UI all of it through the codec server, and nobody else', async () => {
    const { raw } = await handle.describe();
    const summary = raw.executionConfig!.userMetadata!.summary!;
    expect(await asked([summary])).toEqual([SECRETIVE[1]]);
    // As the UI asks for the current details: a query, whose answer it has decoded.
    const metadata = await environment.connection.workflowService.queryWorkflow({
      namespace: 'default',
      execution: { workflowId: handle.workflowId },
      query: { queryType: '__temporal_workflow_metadata' },
    });
    const [answer] = (await asked(metadata.queryResult!.payloads!)) as [{ currentDetails: string }];
    expect(answer.currentDetails).toContain('RECOVERED');
    const foreign = await post('/decode', [summary], { Origin: 'https://evil.example' });
    expect(foreign.status).toBe(403);
    expect(await foreign.text()).not.toContain(SECRETIVE[1]);
    const form = await post('/decode', [summary], { 'Content-Type': 'text/plain' });
    expect(form.status).toBe(415);
    expect((await post('/elsewhere', [summary])).status).toBe(404);
  });

  test('takes what a person types into the UI, encrypted by the codec server', async () => {
    const response = await post('/encode', [defaultPayloadConverter.toPayload({ actor: 'x' })]);
    const text = await response.text();
    expect(text).not.toContain(Buffer.from('actor').toString('base64').slice(0, 6));
    const { payloads } = JSON.parse(text) as { payloads: Wire[] };
    expect(await asked(payloads.map(fromWire))).toEqual([{ actor: 'x' }]);
  });

  test('tells a command without the key what is missing', async () => {
    const other = await temporalSettings({ temporal: undefined });
    const keyless = new Client({ connection: environment.connection, dataConverter: other.dataConverter });
    const reading = keyless.workflow.getHandle(handle.workflowId).result();
    await expect(reading).rejects.toThrow(/encrypted with the key 'k1', which this host does not have/);
  });
});

test('a page of the UI is let in by the browser, and asked politely first', async () => {
  const { port } = server.address() as AddressInfo;
  const preflight = await fetch(`http://127.0.0.1:${port}/decode`, {
    method: 'OPTIONS',
    headers: { Origin: UI },
  });
  expect(preflight.status).toBe(204);
  expect(preflight.headers.get('access-control-allow-origin')).toBe(UI);
  expect(preflight.headers.get('access-control-allow-headers')).toContain('x-namespace');
});

test.each(['0.0.0.0:8234', 'example.org:1', '127.0.0.1', '127.0.0.1:99999', ''])(
  'the codec server does not listen on %s',
  async (listen) => {
    await expect(
      serveCodec(client.options.loadedDataConverter.payloadCodecs[0]!, listen, []),
    ).rejects.toMatchObject({
      code: 'BAD_ARGUMENT',
    });
  },
);

interface Wire {
  readonly metadata: Record<string, string>;
  readonly data: string;
}

/** As the UI asks. */
function post(path: string, payloads: Payload[], headers: Record<string, string> = {}): Promise<Response> {
  const { port } = server.address() as AddressInfo;
  const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
  const body = payloads.map(({ metadata, data }) => ({
    metadata: Object.fromEntries(
      Object.entries(metadata ?? {}).map(([name, value]) => [name, base64(value)]),
    ),
    data: base64(data ?? new Uint8Array()),
  }));
  return fetch(`http://127.0.0.1:${port}${path}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'X-Namespace': 'default', Origin: UI, ...headers },
    body: JSON.stringify({ payloads: body }),
  });
}

async function asked(payloads: Payload[]): Promise<unknown[]> {
  const response = await post('/decode', payloads);
  expect(response.status).toBe(200);
  const answer = (await response.json()) as { payloads: Wire[] };
  return answer.payloads.map((each) => defaultPayloadConverter.fromPayload(fromWire(each)));
}

function fromWire({ metadata, data }: Wire): Payload {
  const entries = Object.entries(metadata).map(([name, value]) => [name, Buffer.from(value, 'base64')]);
  return {
    metadata: Object.fromEntries(entries) as Record<string, Buffer>,
    data: Buffer.from(data, 'base64'),
  };
}

/** Every text and every byte of a message, as text. */
function plainText(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value instanceof Uint8Array) return Buffer.from(value).toString('latin1');
  if (typeof value !== 'object' || value === null) return '';
  return Object.values(value).map(plainText).join(' ');
}
