import { connect } from 'node:net';
import { lookup } from 'node:dns/promises';
import { requireWithinDrill } from './isolation.ts';

/** Whether addresses can be reached: by name, by TCP. */

const CONNECT_TIMEOUT_MS = 3_000;

/** Undefined where a TCP connection opens, else the reason in a few words. */
export async function tcpProblem(host: string, port: number): Promise<string | undefined> {
  requireWithinDrill(host, port);
  return new Promise((resolve) => {
    const socket = connect({ host: bare(host), port, timeout: CONNECT_TIMEOUT_MS });
    const end = (problem: string | undefined): void => {
      socket.destroy();
      resolve(problem);
    };
    socket.on('connect', () => end(undefined));
    socket.on('timeout', () => end(`no connection within ${CONNECT_TIMEOUT_MS} ms`));
    socket.on('error', (error) => end((error as NodeJS.ErrnoException).code ?? error.message));
  });
}

export async function somebodyListens(host: string, port: number): Promise<boolean> {
  return (await tcpProblem(host, port)) === undefined;
}

/** Undefined where the name resolves, else the reason. */
export async function nameProblem(host: string): Promise<string | undefined> {
  try {
    await lookup(bare(host));
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}

/** A URL writes an IPv6 address in brackets; names are resolved and connections made without. */
function bare(host: string): string {
  return host.replace(/^\[|\]$/g, '');
}
