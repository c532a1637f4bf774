import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { SMTPServer } from 'smtp-server';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { loadConfig } from '../../adapters/config/load.ts';
import { WORKFLOW_QUEUE } from '../../domain/messages.ts';
import type { Notice } from '../../domain/notice.ts';
import { wire } from '../../worker/wire.ts';
import { freePort } from '../../adapters/host/free-port.ts';
import { writeDeployment } from '../harness/deployment.ts';
import { startTemporal, withWorkers } from '../harness/temporal.ts';

/** Notices to real HTTP servers, a real SMTP server and a real command, some of which are unwell. */

const SECRET = 'the-secret-of-the-channel';
const NOTICE: Notice = {
  ...{ event: 'decision-wanted', severity: 'critical', deployment: 'acme', at: '2026-01-01T00:00:00.000Z' },
  ...{ title: 'tyk-dr: acme waits: start-redis <retry>', lines: ['DISK_TOO_SMALL: no room – für nichts'] },
  ...{ about: 'rec-1', opens: 'tyk-dr/acme/rec-1/wait/1' },
};

interface Post {
  readonly path: string;
  readonly signature: string | undefined;
  readonly body: Record<string, unknown>;
  readonly text: string;
}

let posts: Post[] = [];
let mails: { readonly user: string; readonly to: string[]; readonly text: string }[] = [];
let refusals = 0;

const web = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const path = request.url ?? '';
    const text = Buffer.concat(chunks).toString('utf8');
    const signature = request.headers['tyk-dr-signature'] as string | undefined;
    posts.push({ path, signature, text, body: JSON.parse(text) as Record<string, unknown> });
    const unwell = path === '/flaky' && refusals-- > 0;
    response.writeHead(unwell ? 503 : 202).end();
  });
});
/** Takes every connection and says nothing. */
const sockets: Socket[] = [];
const silent = createTcpServer((socket) => sockets.push(socket));
const smtp = new SMTPServer({
  authOptional: false,
  disabledCommands: ['STARTTLS'],
  allowInsecureAuth: true,
  onAuth: ({ username, password }, _session, done) =>
    password === SECRET ? done(null, { user: username }) : done(new Error(`not ${password}`)),
  onData: (stream, session, done) => {
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => {
      const to = session.envelope.rcptTo.map(({ address }) => address);
      mails.push({ user: String(session.user), to, text: Buffer.concat(chunks).toString('utf8') });
      done();
    });
  },
});

let environment: TestWorkflowEnvironment;
let dir: string;
let base: string;
const portOf = (server: { address(): unknown }): number => (server.address() as AddressInfo).port;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tyk-dr-test-'));
  base = (await writeDeployment(dir, {})).configFile;
  for (const server of [web, silent, smtp]) server.listen(0, '127.0.0.1');
  await Promise.all([web, silent, smtp.server].map((server) => once(server, 'listening')));
  environment = await startTemporal();
}, 60_000);
afterAll(async () => {
  await environment.teardown();
  for (const socket of sockets) socket.destroy();
  web.close();
  silent.close();
  smtp.close(() => undefined);
  await rm(dir, { recursive: true, force: true });
});
beforeEach(() => {
  posts = [];
  mails = [];
});

let files = 0;
async function secret(value: string): Promise<string> {
  const file = join(dir, `secret-${(files += 1)}`);
  await writeFile(file, value, { mode: 0o600 });
  return `file:${file}`;
}

/** The activities of a worker with these channels, all of them routed to. */
async function activitiesWith(channels: Record<string, object>, more: object = {}) {
  const config = parse(await readFile(base, 'utf8')) as { deployments: { acme: object } };
  const notify = { channels, routes: [{ channels: Object.keys(channels) }], ...more };
  Object.assign(config.deployments.acme, { notify });
  const file = join(dir, `notify-${(files += 1)}.yaml`);
  await writeFile(file, stringify(config), { mode: 0o600 });
  return wire(await loadConfig(file), 'primary', 'test').activities;
}

const tellOne = async (channel: object, notice = NOTICE): Promise<void> =>
  (await activitiesWith({ only: channel }))['tell-channel'](notice, { channel: 'only' });

describe('a channel', () => {
  test('of kind webhook gets the notice as JSON, signed', async () => {
    const url = `http://127.0.0.1:${portOf(web)}/hook`;
    await tellOne({ kind: 'webhook', url, secret: await secret(SECRET) });
    await tellOne({ kind: 'webhook', url: await secret(`${url}/secret`) });
    expect(posts.map(({ path }) => path)).toEqual(['/hook', '/hook/secret']);
    expect(posts[0]!.body).toEqual({ version: 1, ...NOTICE });
    const hmac = createHmac('sha256', SECRET).update(posts[0]!.text).digest('hex');
    expect(posts[0]!.signature).toBe(`sha256=${hmac}`);
    expect(posts[1]!.signature).toBeUndefined();
  });

  test('of kind slack or teams gets the form that these read, with nothing taken for markup', async () => {
    const url = await secret(`http://127.0.0.1:${portOf(web)}/chat`);
    await tellOne({ kind: 'slack', url });
    await tellOne({ kind: 'teams', url });
    const [slack, teams] = posts.map(({ body }) => body);
    expect(slack!['text']).toBe('tyk-dr: acme waits: start-redis &lt;retry&gt;');
    expect(JSON.stringify(slack!['blocks'])).toContain('DISK_TOO_SMALL: no room – für nichts');
    expect(teams).toMatchObject({
      type: 'message',
      attachments: [
        {
          contentType: 'application/vnd.microsoft.card.adaptive',
          content: {
            type: 'AdaptiveCard',
            body: expect.arrayContaining([expect.objectContaining({ text: NOTICE.title })]) as unknown,
          },
        },
      ],
    });
  });

  test('of kind pagerduty opens an incident under the key of the notice, and resolves it by the same', async () => {
    const pager = {
      kind: 'pagerduty',
      routingKey: await secret(SECRET),
      url: `http://127.0.0.1:${portOf(web)}/v2/enqueue`,
    };
    await tellOne(pager);
    const { opens, ...rest } = NOTICE;
    await tellOne(pager, { ...rest, event: 'wait-over', severity: 'info', closes: [opens!] });
    expect(posts.map(({ body }) => body)).toMatchObject([
      {
        routing_key: SECRET,
        event_action: 'trigger',
        dedup_key: opens,
        payload: { summary: NOTICE.title, source: 'acme', severity: 'critical', class: 'decision-wanted' },
      },
      { routing_key: SECRET, event_action: 'resolve', dedup_key: opens },
    ]);
    expect(posts).toHaveLength(2);
  });

  test('of kind email is a mail with subject and facts; without TLS or with another password there is none', async () => {
    const mail = {
      ...{ kind: 'email', host: '127.0.0.1', port: portOf(smtp.server) },
      ...{ from: 'dr@example.com', to: ['ops@example.com', 'lead@example.com'] },
    };
    const password = await secret(SECRET);
    await tellOne({ ...mail, tls: 'none', user: 'dr', password });
    expect(mails).toHaveLength(1);
    expect(mails[0]).toMatchObject({ user: 'dr', to: ['ops@example.com', 'lead@example.com'] });
    expect(mails[0]!.text).toContain('Subject: tyk-dr: acme waits: start-redis <retry>');
    expect(mails[0]!.text).toContain('DISK_TOO_SMALL');
    await expect(tellOne(mail)).rejects.toThrow(/^e-mail was not told: .*STARTTLS/);
    const wrong = tellOne({ ...mail, tls: 'none', user: 'dr', password: await secret('another-password') });
    await expect(wrong).rejects.toThrow(/^e-mail was not told: (?!.*another-password)/);
    expect(mails).toHaveLength(1);
  });

  test('of kind command gets the notice on its standard input, and no shell reads a word of it', async () => {
    const [script, out] = [join(dir, 'siren.sh'), join(dir, 'heard')];
    await writeFile(script, `#!/bin/sh\ncat > "$1"\necho "$2" >> "$1"\n`);
    await chmod(script, 0o755);
    const title = '$(touch /tmp/never); `id`';
    await tellOne({ kind: 'command', command: [script, out, '$HOME;x'] }, { ...NOTICE, title });
    const [json, word] = (await readFile(out, 'utf8')).split('\n');
    expect(JSON.parse(json!)).toMatchObject({ version: 1, title, event: 'decision-wanted' });
    expect(word).toBe('$HOME;x');
    const said = tellOne({ kind: 'command', command: ['sh', '-c', `echo ${SECRET}; exit 3`] });
    await expect(said).rejects.toThrow(/^command sh was not told: it ended with exit code 3$/);
    await expect(tellOne({ kind: 'command', command: ['sleep', '30'], timeout: '300ms' })).rejects.toThrow(
      'a timeout',
    );
    await expect(tellOne({ kind: 'command', command: ['no-such-program-of-ours'] })).rejects.toThrow(
      'was not told',
    );
  });

  test('that is dead or refuses says so by its host only: the path is often its password', async () => {
    const url = `http://127.0.0.1:${await freePort()}/token-in-the-path`;
    const said = await tellOne({ kind: 'webhook', url }).catch(String);
    expect(said).toMatch(/127\.0\.0\.1:\d+ was not told: .*ECONNREFUSED/);
    expect(said).not.toContain('token-in-the-path');
    const nonsense = tellOne({ kind: 'slack', url: await secret('not an address') });
    await expect(nonsense).rejects.toThrow(/its reference holds no http address$/);
  });
});

test('all channels are told at the same time, each with its retries; no secret lies in Temporal, and the slow delay nobody', async () => {
  refusals = 2;
  const token = `http://127.0.0.1:${portOf(web)}/token-in-the-path`;
  const activities = await activitiesWith({
    quick: { kind: 'slack', url: await secret(token) },
    flaky: { kind: 'webhook', url: `http://127.0.0.1:${portOf(web)}/flaky` },
    hanging: { kind: 'webhook', url: `http://127.0.0.1:${portOf(silent)}/` },
    dead: { kind: 'webhook', url: `http://127.0.0.1:${await freePort()}/` },
    pager: {
      kind: 'pagerduty',
      routingKey: await secret(SECRET),
      url: `http://127.0.0.1:${portOf(web)}/pager`,
    },
  });
  const handle = await environment.client.workflow.start('tell', {
    workflowId: 'tell/acme/rec-1',
    taskQueue: WORKFLOW_QUEUE,
    args: [{ workers: ['away', 'primary'] }],
  });
  await withWorkers(environment, { primary: activities }, async () => {
    const startedAt = performance.now();
    await handle.signal('notice', { id: 'wait-1', notice: NOTICE });
    // The same again: a run that was replayed, or a worker that was lost.
    await handle.signal('notice', { id: 'wait-1', notice: NOTICE });
    await expect
      .poll(() => posts.filter(({ path }) => path === '/flaky').length, { timeout: 30_000 })
      .toBe(3);
    expect(performance.now() - startedAt).toBeLessThan(30_000);
    expect(posts.filter(({ path }) => path === '/token-in-the-path')).toHaveLength(1);
    expect(posts.filter(({ path }) => path === '/pager')).toHaveLength(1);
    const history = textsIn(await handle.fetchHistory()).join('\n');
    expect(history).toContain('für nichts');
    for (const text of [SECRET, 'token-in-the-path']) expect(history).not.toContain(text);
    for (const socket of sockets) socket.destroy();
    await handle.terminate();
  });
}, 60_000);

/** Every text and payload in what Temporal has kept. */
function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (value instanceof Uint8Array) return [Buffer.from(value).toString('utf8')];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsIn) : [];
}

test('who declares nobody to tell has no failure', async () => {
  const { activities } = wire(await loadConfig(base), 'primary', 'test');
  expect(await activities['route-notice'](NOTICE, 1)).toEqual({ targets: [], people: [] });
});
