import { createConnection } from 'node:net';
import { rename, writeFile } from 'node:fs/promises';
import { requireSocketWithinDrill } from '../host/isolation.ts';
import { DrError } from '../../domain/errors.ts';

/** HAProxy's runtime API over its unix socket (management guide, section 9.3). */

const TIMEOUT_MS = 5_000;

/** Bits of srv_admin_state: forced, inherited or by DNS. 0x04 only tells that the file once said `disabled`. */
const IN_MAINTENANCE = 0x01 | 0x02 | 0x20;
/** The same of a server that ends what it has and gets nothing new. */
const DRAINING = 0x08 | 0x10;

export type AdminState = 'ready' | 'drain' | 'maint';

export interface ServerState {
  readonly name: string;
  readonly admin: AdminState;
  /** Whether HAProxy holds it for able to answer. */
  readonly up: boolean;
  /** Its share among the servers of the backend, 0 to 256, and what its configuration says. */
  readonly weight: number;
  readonly configWeight: number;
}

/** What a server has answered since HAProxy started, and what is under way on it. */
export interface ServerCounts {
  readonly name: string;
  /** Requests that are under way. */
  readonly current: number;
  readonly answers: number;
  /** Of the answers: those with 5xx. Besides them: connections that failed, answers that broke off. */
  readonly errors: number;
  /**
   * Whether its last health check was good. One that comes out of maintenance is held for up before any was made; true
   * where it has none.
   */
  readonly checked: boolean;
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
    .map((fields) => {
      const admin = adminState(Number(column(fields, 'srv_admin_state')));
      return {
        name: column(fields, 'srv_name'),
        admin,
        up: column(fields, 'srv_op_state') === '2',
        weight: Number(column(fields, 'srv_uweight')),
        configWeight: Number(column(fields, 'srv_iweight')),
      };
    });
}

function adminState(bits: number): AdminState {
  if ((bits & IN_MAINTENANCE) !== 0) return 'maint';
  return (bits & DRAINING) !== 0 ? 'drain' : 'ready';
}

/** Of each server of a backend, from `show stat`: one line of comma-separated values a server. */
export async function serverCounts(socket: string, backend: string): Promise<ServerCounts[]> {
  const [header = '', ...lines] = (await command(socket, `show stat ${backend} 4 -1`)).split('\n');
  const names = header.replace(/^# /, '').split(',');
  return lines
    .map((line) => line.split(','))
    .filter((fields) => fields[names.indexOf('pxname')] === backend)
    .map((fields) => {
      const of = (...columns: string[]): number =>
        columns.reduce((sum, column) => sum + Number(fields[names.indexOf(column)] || 0), 0);
      const failed = of('econ', 'eresp');
      return {
        name: fields[names.indexOf('svname')] ?? '',
        current: of('scur'),
        answers: of('hrsp_1xx', 'hrsp_2xx', 'hrsp_3xx', 'hrsp_4xx', 'hrsp_5xx', 'hrsp_other') + failed,
        errors: of('hrsp_5xx') + failed,
        checked: of('check_health') >= of('check_rise', 'check_fall') - 1,
      };
    });
}

/**
 * `ready` lets traffic in, `drain` lets end what is under way, `maint` keeps it out. HAProxy answers nothing when it
 * obeys.
 */
export function setServerState(
  socket: string,
  backend: string,
  server: string,
  state: AdminState,
): Promise<void> {
  return setServer(socket, backend, server, `state ${state}`);
}

/** @param weight 0 to 256. A balance algorithm that is static takes none but the configured one. */
export function setServerWeight(
  socket: string,
  backend: string,
  server: string,
  weight: number,
): Promise<void> {
  return setServer(socket, backend, server, `weight ${weight}`);
}

async function setServer(socket: string, backend: string, server: string, change: string): Promise<void> {
  const answer = await command(socket, `set server ${backend}/${server} ${change}`);
  if (answer !== '')
    throw new DrError('TRAFFIC_FAILED', { backend, reason: `refused ${server} ${change}: ${answer}` });
}

/** Keeps states and weights for a restart of HAProxy (`load-server-state-from-file`). */
export async function saveStates(socket: string, file: string): Promise<void> {
  const states = await command(socket, 'show servers state');
  await writeFile(`${file}.new`, `${states}\n`);
  await rename(`${file}.new`, file);
}
