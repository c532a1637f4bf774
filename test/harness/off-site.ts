import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { homedir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { freePort } from '../../adapters/host/free-port.ts';

/** Servers for off-site copies: real ones, on free ports of 127.0.0.1, that end with the test. */

export interface Server {
  readonly port: number;
  /** Ends it at once, as if the site were away; `start` brings it back with what it had. */
  readonly stop: () => Promise<void>;
  readonly start: () => Promise<void>;
}

export interface SftpServer extends Server {
  /** rclone's options of it: who may come in, by which key, and what key the server has. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Whether it deletes and renames; it is started again with the answer. */
  readonly allowDeletion: (allowed: boolean) => Promise<void>;
}

/** As it stands under backup.copies. */
export function sftpCopy(server: SftpServer, more: Readonly<Record<string, unknown>> = {}): unknown {
  return { name: 'sftp', remote: { type: 'sftp', path: 'tyk-dr', options: server.options }, ...more };
}

export function s3Copy(server: S3Server, more: Readonly<Record<string, unknown>> = {}): unknown {
  return {
    name: 's3',
    remote: {
      type: 's3',
      path: `${BUCKET}/tyk-dr`,
      options: {
        provider: 'Other',
        endpoint: server.endpoint,
        access_key_id: 'writer',
        secret_access_key: 'command:echo s3-secret-of-the-tests',
      },
    },
    ...more,
  };
}

/** OpenSSH's own server over a folder, as an ordinary process: by key, no shell, and nobody deletes unless told. */
export async function startSftp(folder: string): Promise<SftpServer> {
  const etc = `${folder}-sshd`;
  await Promise.all([folder, etc].map((each) => mkdir(each, { recursive: true })));
  // Where it is root it wants the folder that Debian's service makes for it.
  if (process.getuid?.() === 0) await mkdir('/run/sshd', { recursive: true, mode: 0o755 });
  const [host, user] = ['host', 'user'].map((name) => join(etc, name)) as [string, string];
  for (const key of [host, user]) await execa('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
  const port = await freePort();
  await writeFile(join(etc, 'known_hosts'), `[127.0.0.1]:${port} ${await readFile(`${host}.pub`, 'utf8')}`);
  const config = join(etc, 'sshd_config');
  const configure = (deny: readonly string[]): Promise<void> =>
    writeFile(
      config,
      [
        ...[`Port ${port}`, 'ListenAddress 127.0.0.1', `HostKey ${host}`, 'PidFile none', 'LogLevel ERROR'],
        ...['UsePAM no', 'PasswordAuthentication no', 'KbdInteractiveAuthentication no', 'StrictModes no'],
        ...['PermitRootLogin prohibit-password', `AuthorizedKeysFile ${user}.pub`, 'MaxStartups 100'],
        ...['Subsystem sftp internal-sftp', `ForceCommand internal-sftp -d ${folder}${deny.join('')}`, ''],
      ].join('\n'),
    );
  await configure(NO_DELETION);
  const sshd = await server(port, '/usr/sbin/sshd', ['-D', '-e', '-f', config]);
  return {
    ...sshd,
    options: {
      ...{ host: '127.0.0.1', port, user: userInfo().username, key_file: user },
      known_hosts_file: join(etc, 'known_hosts'),
    },
    async allowDeletion(allowed) {
      await sshd.stop();
      await configure(allowed ? [] : NO_DELETION);
      await sshd.start();
    },
  };
}

const NO_DELETION = [' -P remove,rmdir,rename,posix-rename'];

export interface S3Server extends Server {
  readonly endpoint: string;
  /** What somebody asked to delete, and was refused. */
  readonly refused: () => readonly string[];
  readonly allowDeletion: (allowed: boolean) => void;
  readonly close: () => Promise<void>;
}

export const BUCKET = 'off-site';

/** An S3 server with one bucket, behind a door that refuses to delete: what an append-only writer meets. */
export async function startS3(): Promise<S3Server> {
  const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'tyk-dr', 'bin');
  const port = await freePort();
  const inner = await server(port, join(cache, 'gofakes3-1.2.0'), [
    ...['-host', `127.0.0.1:${port}`, '-backend', 'memory', '-initialbucket', BUCKET, '-quiet'],
  ]);
  const refused: string[] = [];
  let allowed = false;
  const door = createServer((from, to) => {
    if (!allowed && (from.method === 'DELETE' || /[?&]delete\b/.test(from.url ?? ''))) {
      refused.push(`${from.method} ${from.url}`);
      from.resume();
      to.writeHead(403).end('<Error><Code>AccessDenied</Code></Error>');
      return;
    }
    const onward = request(
      { host: '127.0.0.1', port, method: from.method, path: from.url, headers: from.headers },
      (answer) => {
        to.writeHead(answer.statusCode!, answer.headers);
        answer.pipe(to);
      },
    );
    onward.on('error', () => to.destroy());
    from.pipe(onward);
  }).listen(0, '127.0.0.1');
  await once(door, 'listening');
  const outside = (door.address() as AddressInfo).port;
  const shut = (): void => {
    door.close();
    door.closeAllConnections();
  };
  return {
    port: outside,
    endpoint: `http://127.0.0.1:${outside}`,
    refused: () => refused,
    allowDeletion: (now) => (allowed = now),
    // The door is shut; what is behind it stays.
    stop: () => Promise.resolve(shut()),
    async start() {
      door.listen(outside, '127.0.0.1');
      await once(door, 'listening');
    },
    async close() {
      shut();
      await inner.stop();
    },
  };
}

async function server(port: number, program: string, args: readonly string[]): Promise<Server> {
  let child: ChildProcess | undefined;
  const start = async (): Promise<void> => {
    const started = spawn('setpriv', ['--pdeathsig', 'KILL', '--', program, ...args], { stdio: 'ignore' });
    child = started;
    await once(started, 'spawn');
    while (!(await answers(port))) {
      if (started.exitCode !== null) throw new Error(`${program} ended with ${started.exitCode}`);
      await sleep(20);
    }
  };
  const stop = async (): Promise<void> => {
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  };
  await start();
  return { port, start, stop };
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
