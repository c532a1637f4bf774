import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer as createTcpServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { NativeConnection } from '@temporalio/worker';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadConfig } from '../../adapters/config/load.ts';
import { temporalSettings } from '../../adapters/temporal/connection.ts';
import { withDoor } from '../../cli/client.ts';
import { EXAMPLE } from '../../cli/init-example.ts';
import { DrError } from '../../domain/errors.ts';
import { startTemporal } from '../harness/temporal.ts';
import { makeCertificates, type Certificates } from '../harness/tls.ts';

/** A real Temporal server behind TLS that demands a certificate: commands and workers get in, or say why not. */

let dir: string;
let environment: TestWorkflowEnvironment;
let ours: Certificates;
let theirs: Certificates;
let doors: Server[];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tyk-dr-tls-'));
  environment = await startTemporal();
  ours = await makeCertificates(await mkdtemp(join(dir, 'a-')));
  theirs = await makeCertificates(await mkdtemp(join(dir, 'b-')));
  const [ca, cert, key] = await Promise.all([ours.ca, ours.cert, ours.key].map((file) => readFile(file)));
  const [host, port] = environment.address.split(':') as [string, string];
  const terminate = createTlsServer(
    { ca: ca!, cert: cert!, key: key!, requestCert: true, rejectUnauthorized: true, ALPNProtocols: ['h2'] },
    (socket) => {
      const inner = connect(Number(port), host);
      socket.pipe(inner).pipe(socket);
      for (const end of [socket, inner]) end.on('error', () => (socket.destroy(), inner.destroy()));
    },
  );
  doors = [terminate, createTcpServer((socket) => socket.on('error', () => undefined).end('SMTP\r\n'))];
  await Promise.all(doors.map((door) => new Promise<void>((done) => door.listen(0, '127.0.0.1', done))));
}, 60_000);

afterAll(async () => {
  for (const door of doors) door.close();
  await environment.teardown();
  await rm(dir, { recursive: true });
});

const addressOf = (door: Server): string => `127.0.0.1:${(door.address() as AddressInfo).port}`;

/** The configuration of a host, with what its temporal section says of TLS. */
async function configFile(tls: object | undefined, address = addressOf(doors[0]!)): Promise<string> {
  const file = join(await mkdtemp(join(dir, 'c-')), 'tyk-dr.yaml');
  const section = `  address: ${address}\n${tls ? `  tls: ${JSON.stringify(tls)}\n` : ''}`;
  expect(EXAMPLE).toContain('  address: 127.0.0.1:7233\n');
  await writeFile(file, EXAMPLE.replace('  address: 127.0.0.1:7233\n', section));
  return file;
}

const good = (): Record<string, string> => ({ ca: ours.ca, certificate: ours.cert, key: `file:${ours.key}` });

test('with the right certificate, commands and workers get in', async () => {
  const file = await configFile(good());
  expect(
    await withDoor(file, async ({ client }) => (await client.workflow.count('WorkflowType = "x"')).count),
  ).toBe(0);
  const { options } = await temporalSettings(await loadConfig(file));
  const connection = await NativeConnection.connect(options);
  const { namespaceInfo } = await connection.workflowService.describeNamespace({ namespace: 'default' });
  expect(namespaceInfo?.name).toBe('default');
  await connection.close();
});

test("Temporal's own environment wins", async () => {
  process.env['TEMPORAL_ADDRESS'] = environment.address;
  process.env['TEMPORAL_TLS'] = 'false';
  try {
    const { address, options } = await temporalSettings(await loadConfig(await configFile(good())));
    expect({ address, tls: options.tls }).toEqual({ address: environment.address, tls: false });
  } finally {
    delete process.env['TEMPORAL_ADDRESS'];
    delete process.env['TEMPORAL_TLS'];
  }
});

// Each waits out the patience of Temporal's client: they do so together.
describe.concurrent('without it, both say why not', () => {
  test.each<[string, () => object | undefined | Promise<object>, RegExp]>([
    ['no TLS at all', () => undefined, /hangs up without TLS/],
    ['no certificate', () => ({ ca: ours.ca }), /the server demands a certificate of this host/],
    [
      'that of another authority',
      () => ({ ca: ours.ca, certificate: theirs.cert, key: `file:${theirs.key}` }),
      /may not accept the certificate of this host|does not know who signed/,
    ],
    ['one that has expired', expired, /the certificate of this host expired at 20\d\d-/],
    [
      'a key of another certificate',
      () => ({ ...good(), key: `file:${theirs.key}` }),
      /temporal.tls.key does not belong to temporal.tls.certificate/,
    ],
    [
      "another authority for the server's",
      () => ({ ...good(), ca: theirs.ca }),
      /not signed by temporal.tls.ca/,
    ],
    ['another name of the server', () => ({ ...good(), serverName: 'elsewhere' }), /is for another name/],
    [
      'a file that is not there',
      () => ({ ...good(), ca: '/nowhere/ca.pem' }),
      /\/nowhere\/ca.pem, cannot be read/,
    ],
    ['a key file as certificate', () => ({ ...good(), certificate: ours.key }), /holds no certificate/],
  ])('%s', async (_what, tls, why) => {
    const file = await configFile(await tls());
    const error: unknown = await withDoor(file, async () => undefined).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(DrError);
    expect(`${(error as DrError).code} ${(error as DrError).message}`).toMatch(why);
  });

  test('TLS to what speaks none', async () => {
    const plain = await configFile(good(), addressOf(doors[1]!));
    await expect(withDoor(plain, async () => undefined)).rejects.toThrow(/does not speak TLS/);
  });

  test('TLS to a port where nobody is', async () => {
    const closed = createTcpServer();
    await new Promise<void>((done) => closed.listen(0, '127.0.0.1', done));
    const address = addressOf(closed);
    closed.close();
    const nobody = await configFile(good(), address);
    await expect(withDoor(nobody, async () => undefined)).rejects.toThrow(
      `at ${address}: nothing listens there`,
    );
  });
});

/** Signed by the right authority, and over since yesterday. */
async function expired(): Promise<object> {
  const [certificate, request] = ['old.crt', 'old.csr'].map((name) => join(dir, name)) as [string, string];
  await execa('openssl', ['req', '-new', '-key', ours.key, '-subj', '/CN=old', '-out', request]);
  await execa('openssl', [
    ...['x509', '-req', '-in', request, '-CA', ours.ca, '-CAkey', ours.ca.replace(/crt$/, 'key')],
    ...['-CAcreateserial', '-days', '-1', '-out', certificate],
  ]);
  return { ...good(), certificate };
}
