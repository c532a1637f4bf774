import { createConnection } from 'node:net';
import { rename, writeFile } from 'node:fs/promises';
import { requireSocketWithinDrill } from '../host/isolation.ts';
import { DrError } from '../../domain/errors.ts';

/** HAProxy's runtime API over its unix socket (management guide, section 9.3). */

const TIMEOUT_MS = 5_000;

/** Bits of srv_admin_state: forced, inherited or by DNS. 0x04 only tells that the file once said `disabled`. */
const IN_MAINTENANCE = 0x01 | 0x02 | 0x20;

export interface ServerState {
  readonly name: string;
  /** Whether an administrator has put it into maintenance. */
  readonly maintenance: boolean;
  /** Whether HAProxy sends traffic to it. */
  readonly up: boolean;
}

/** One command, its whole answer. @throws DrError TRAFFIC_FAILED where the socket does not answer. */
export async function command(socket: string, line: string): Promise<string> {
  requireSocketWithinDrill(socket);
  return new Promise((resolve, reject) => {
    const fail = (reason: string): void =>
      reject(new DrError('TRAFFIC_FAILED', { backend: socket, reason: `cannot be reached: ${reason}` }));
    const connection = createConnection(socket, () => connection.write(`${line}\n`));
    let answer = '';
    connection.setTimeout(TIMEOUT_MS, () => {
      connection.destroy();
      fail('no answer in time');
    });
    connection.setEncoding('utf8');
    connection.on('data', (text: string) => (answer += text));
    connection.on('end', () => resolve(answer.trim()));
    connection.on('error', (error) => fail(error.message));
  });
}

/** The servers of a backend with their states, from `show servers state` (srv_op_state 2 = up, srv_admin_state bits). */
export async function serverStates(socket: string, backend: string): Promise<ServerState[]> {
  const lines = (await command(socket, `show servers state ${backend}`)).split('\n');
  const header = lines
    .find((line) => line.startsWith('#'))
    ?.slice(2)
    .split(' ');
  if (!header)
    throw new DrError('TRAFFIC_FAILED', {
      backend,
      reason: `is not known to HAProxy: ${lines.join(' ').slice(0, 200)}`,
    });
  const column = (fields: readonly string[], name: string): string => fields[header.indexOf(name)] ?? '';
  return lines
    .slice(lines.findIndex((line) => line.startsWith('#')) + 1)
    .map((line) => line.split(' '))
    .filter((fields) => column(fields, 'srv_name') !== '')
    .map((fields) => ({
      name: column(fields, 'srv_name'),
      maintenance: (Number(column(fields, 'srv_admin_state')) & IN_MAINTENANCE) !== 0,
      up: column(fields, 'srv_op_state') === '2',
    }));
}

/** `ready` lets traffic in, `maint` keeps it out. HAProxy answers nothing when it obeys. */
export async function setServerState(
  socket: string,
  backend: string,
  server: string,
  state: 'ready' | 'maint',
): Promise<void> {
  const answer = await command(socket, `set server ${backend}/${server} state ${state}`);
  if (answer !== '')
    throw new DrError('TRAFFIC_FAILED', { backend, reason: `refused ${server} ${state}: ${answer}` });
}

/** Keeps the states for a restart of HAProxy (`load-server-state-from-file`). */
export async function saveStates(socket: string, file: string): Promise<void> {
  const states = await command(socket, 'show servers state');
  await writeFile(`${file}.new`, `${states}\n`);
  await rename(`${file}.new`, file);
}
