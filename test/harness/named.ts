import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { freePort } from '../../adapters/host/free-port.ts';
import { eventually } from './gateway.ts';

/**
 * A real BIND on a free port: the zone `example.test`, which the key `tyk-dr` may change, and `closed.test`, which
 * nobody may. It dies with the tests.
 */

export interface TestNamed {
  readonly dir: string;
  readonly port: number;
  /** The TSIG secrets, in base64: that of `tyk-dr`, and one that no key has. */
  readonly secret: string;
  readonly wrongSecret: string;
  readonly stop: () => Promise<void>;
  readonly close: () => Promise<void>;
  /** What anybody is told: the records of a name, sorted. */
  readonly ask: (name: string, type: string) => Promise<string[]>;
  /** Changes the zone as somebody else would. */
  readonly change: (...lines: string[]) => Promise<void>;
}

const zoneOf = (name: string): string =>
  [
    '$TTL 60',
    `@ IN SOA ns.${name}. admin.${name}. 1 60 60 60 60`,
    `@ IN NS ns.${name}.`,
    'ns IN A 127.0.0.1',
    'api 45 IN A 127.0.0.1',
    '',
  ].join('\n');

export async function startNamed(): Promise<TestNamed> {
  const dir = await mkdtemp(join(tmpdir(), 'tyk-dr-named-test-'));
  const [port, secret] = [await freePort(), randomBytes(32).toString('base64')];
  const key = `key "tyk-dr" { algorithm hmac-sha256; secret "${secret}"; };\n`;
  const zone = (name: string, more: string): string =>
    `zone "${name}" { type primary; file "${join(dir, name)}"; ${more} };`;
  for (const name of ['example.test', 'closed.test']) await writeFile(join(dir, name), zoneOf(name));
  await writeFile(join(dir, 'tsig.key'), key, { mode: 0o600 });
  await writeFile(
    join(dir, 'named.conf'),
    [
      ...[key, 'controls { };', 'options {', `directory "${dir}";`, `pid-file "${join(dir, 'named.pid')}";`],
      ...[`session-keyfile "${join(dir, 'session.key')}";`, `listen-on port ${port} { 127.0.0.1; };`],
      ...['listen-on-v6 { none; };', 'recursion no;', 'dnssec-validation no;', '};'],
      zone('example.test', 'allow-update { key tyk-dr; };'),
      zone('closed.test', 'allow-update { none; };'),
      '',
    ].join('\n'),
  );
  const argv = ['--pdeathsig', 'KILL', '--', '/usr/sbin/named', '-g', '-c', join(dir, 'named.conf')];
  const server: ChildProcess = spawn('setpriv', argv, { stdio: 'ignore' });
  const ask = async (name: string, type: string): Promise<string[]> => {
    const { stdout } = await execa('dig', [
      '+short',
      '+tries=1',
      '+time=2',
      '@127.0.0.1',
      '-p',
      `${port}`,
      name,
      type,
    ]);
    return stdout.split('\n').filter(Boolean).sort();
  };
  const stop = async (): Promise<void> => {
    if (server.exitCode !== null || server.signalCode !== null) return;
    const exited = once(server, 'exit');
    server.kill('SIGKILL');
    await exited;
  };
  await eventually(() => ask('api.example.test', 'A'));
  return {
    ...{ dir, port, secret, wrongSecret: randomBytes(32).toString('base64'), stop, ask },
    change: async (...lines) => {
      const input = [`server 127.0.0.1 ${port}`, 'zone example.test', ...lines, 'send', ''].join('\n');
      await execa('nsupdate', ['-k', join(dir, 'tsig.key')], { input });
    },
    close: async () => {
      await stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
