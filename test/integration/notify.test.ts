import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SMTPServer } from 'smtp-server';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { loadConfig } from '../../adapters/config/load.ts';
import type { Notice } from '../../domain/notice.ts';
import { wire } from '../../worker/wire.ts';
import { freePort } from '../harness/gateway.ts';
import { writeDeployment } from '../harness/deployment.ts';

/** Notices to a real HTTP server and a real SMTP server, some of which are unwell. */

const SECRET = 'the-secret-of-the-webhook';
const NOTICE: Notice = {
  ...{ event: 'backup-failed', deployment: 'acme', at: '2026-01-01T00:00:00.000Z' },
  ...{
    title: 'tyk-dr: the scheduled full of acme failed',
    lines: ['DISK_TOO_SMALL: no room – für nichts'],
    about: 'x',
  },
};

interface Post {
  readonly path: string;
  readonly signature: string | undefined;
  readonly body: string;
}

const posts: Post[] = [];
const mails: { readonly user: string; readonly to: string[]; readonly text: string }[] = [];
let refuseOnce = true;

const web = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const path = request.url ?? '';
    const signature = request.headers['tyk-dr-signature'] as string | undefined;
    posts.push({ path, signature, body: Buffer.concat(chunks).toString('utf8') });
    const unwell = path === '/flaky' && refuseOnce;
    if (unwell) refuseOnce = false;
    response.writeHead(unwell ? 503 : 204).end();
  });
});
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

let dir: string;
let base: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tyk-dr-test-'));
  base = (await writeDeployment(dir, {})).configFile;
  web.listen(0, '127.0.0.1');
  smtp.listen(0, '127.0.0.1');
  await Promise.all([once(web, 'listening'), once(smtp.server, 'listening')]);
});
afterAll(async () => {
  web.close();
  smtp.close(() => undefined);
  await rm(dir, { recursive: true, force: true });
});

/** Several are sent at the same time. */
let files = 0;

async function send(
  notify: object | undefined,
): Promise<{ sent: readonly string[]; failed: readonly string[] }> {
  const config = parse(await readFile(base, 'utf8')) as { deployments: { acme: object } };
  if (notify) Object.assign(config.deployments.acme, { notify });
  const file = join(dir, `notify-${(files += 1)}.yaml`);
  await writeFile(file, stringify(config), { mode: 0o600 });
  return wire(await loadConfig(file), 'primary', 'test').activities['send-notice'](NOTICE);
}

test('every channel is told, signed and in full, and one that fails keeps no other from it', async () => {
  const secret = join(dir, 'secret');
  await writeFile(secret, SECRET, { mode: 0o600 });
  const [webPort, smtpPort] = [web, smtp.server].map((server) => (server.address() as AddressInfo).port);
  const nobody = await freePort();
  const { sent, failed } = await send({
    webhooks: [
      { url: `http://127.0.0.1:${webPort}/hook`, secret: `file:${secret}` },
      { url: `http://127.0.0.1:${webPort}/flaky` },
      { url: `http://127.0.0.1:${nobody}/token-in-the-path` },
    ],
    email: {
      ...{ host: '127.0.0.1', port: smtpPort, tls: 'none', user: 'dr', password: `file:${secret}` },
      ...{ from: 'dr@example.com', to: ['ops@example.com', 'lead@example.com'] },
    },
  });
  expect([...sent].sort()).toEqual([
    'e-mail',
    `webhook 127.0.0.1:${webPort}`,
    `webhook 127.0.0.1:${webPort}`,
  ]);
  expect(failed).toEqual([
    expect.stringMatching(`^webhook 127.0.0.1:${nobody} was not told: .*ECONNREFUSED`),
  ]);
  expect(failed.join()).not.toContain('token-in-the-path');
  const hook = posts.find(({ path }) => path === '/hook')!;
  expect(JSON.parse(hook.body)).toEqual({ version: 1, ...NOTICE });
  expect(hook.signature).toBe(`sha256=${createHmac('sha256', SECRET).update(hook.body).digest('hex')}`);
  expect(posts.filter(({ path }) => path === '/flaky')).toHaveLength(2);
  expect(posts.find(({ path }) => path === '/flaky')!.signature).toBeUndefined();
  expect(mails).toHaveLength(1);
  expect(mails[0]).toMatchObject({ user: 'dr', to: ['ops@example.com', 'lead@example.com'] });
  expect(mails[0]!.text).toContain('Subject: tyk-dr: the scheduled full of acme failed');
  expect(mails[0]!.text).toContain('DISK_TOO_SMALL');
});

test('a mail server without TLS or with another password gets nothing, and no error shows the password', async () => {
  const secret = join(dir, 'wrong');
  await writeFile(secret, 'another-password', { mode: 0o600 });
  const { port } = smtp.server.address() as AddressInfo;
  const email = { host: '127.0.0.1', port, from: 'dr@example.com', to: ['ops@example.com'] };
  const [plain, wrong] = await Promise.all([
    send({ email }),
    send({ email: { ...email, tls: 'none', user: 'dr', password: `file:${secret}` } }),
  ]);
  expect(plain.failed).toEqual([expect.stringMatching(/^e-mail was not told: .*STARTTLS/)]);
  expect(wrong.failed).toEqual([expect.stringMatching(/^e-mail was not told: /)]);
  expect(wrong.failed.join()).not.toContain('another-password');
  expect(mails).toHaveLength(1);
});

test('who declares nobody to tell has no failure', async () => {
  expect(await send(undefined)).toEqual({ sent: [], failed: [] });
});
