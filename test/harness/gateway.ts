import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { freePort } from '../../adapters/host/free-port.ts';
import { Secret } from '../../domain/secret.ts';
import { buildGatewayConf, type GatewayConf, type GatewayConfOptions } from '../../lab/tyk/gateway-conf.ts';
import { writeErrorTemplates } from '../../lab/tyk/templates.ts';

const STAND_IN = path.resolve(import.meta.dirname, '../../lab/gateway/main.ts');
const TYPESCRIPT_LOADER = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
const REAL_BINARY = process.env['TYK_GATEWAY_BIN'] ?? '';

const POLL_MS = 50;
const START_TIMEOUT_MS = 20_000;
const STOP_TIMEOUT_MS = 10_000;

/** Which Gateway the tests run on: the real one where TYK_GATEWAY_BIN names it, else the lab's stand-in. */
export const RUNS_REAL_GATEWAY = REAL_BINARY !== '';
/** As the program itself says; one that was built by hand says `v5.3.0-dev`. */
export const REAL_VERSION = RUNS_REAL_GATEWAY
  ? execFileSync(REAL_BINARY, ['--version'], { encoding: 'utf8' }).trim()
  : '';

export const CONTROL_SECRET = new Secret('control-secret-of-the-tests');
export const NODE_SECRET = new Secret('node-secret-of-the-tests');

export type GatewayOptions = Pick<GatewayConfOptions, 'redis' | 'source'> &
  Partial<GatewayConfOptions> & {
    /** Laid over the built `tyk.conf`. */
    readonly overrides?: Partial<GatewayConf>;
  };

export interface RunningGateway {
  readonly url: string;
  readonly pid: number;
  /** Everything it has written to its standard error and output so far. */
  log(): string;
  /** A request without following redirects; `key` goes into the Authorization header. */
  get(path: string, options?: { key?: string; headers?: Record<string, string> }): Promise<Response>;
  /** A request to the control API with the right secret unless another is given. */
  control(method: string, path: string, options?: { body?: unknown; secret?: string }): Promise<Response>;
  hello(): Promise<Hello>;
  /** SIGTERM, and wait until it has ended. */
  stop(): Promise<void>;
  kill(): Promise<void>;
}

export interface Hello {
  readonly status: 'pass' | 'warn' | 'fail';
  readonly version: string;
  readonly description: string;
  readonly details?: Readonly<Record<string, HelloDetail>>;
}

export interface HelloDetail {
  readonly status: 'pass' | 'fail';
  readonly componentType: string;
  readonly output?: string;
  readonly time: string;
}

/** Starts the Gateway under test and waits until it answers `/hello`. */
export async function startGateway(options: GatewayOptions): Promise<RunningGateway> {
  const folder = await mkdtemp(path.join(tmpdir(), 'tyk-dr-gateway-'));
  const port = options.listenPort ?? (await freePort());
  const conf = buildGatewayConf({
    secret: CONTROL_SECRET,
    nodeSecret: NODE_SECRET,
    templatePath: path.join(folder, 'templates'),
    pidFile: path.join(folder, 'gateway.pid'),
    ...options,
    listenPort: port,
  });
  await writeErrorTemplates(conf.template_path);
  const confPath = path.join(folder, 'tyk.conf');
  await writeFile(confPath, JSON.stringify({ ...conf, ...options.overrides }), { mode: 0o600 });
  const [program, ...args] = RUNS_REAL_GATEWAY
    ? [REAL_BINARY, '--conf', confPath]
    : [process.execPath, '--import', TYPESCRIPT_LOADER, STAND_IN, '--conf', confPath];
  const child = spawn(program, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  const health = options.overrides?.health_check_endpoint_name ?? conf.health_check_endpoint_name;
  const gateway = control(child, `http://127.0.0.1:${port}`, health, folder);
  try {
    const answers = eventually(() => gateway.hello(), START_TIMEOUT_MS);
    const ends = once(child, 'exit').then(([code]) => Promise.reject(new Error(`it ended with ${code}`)));
    ends.catch(() => undefined);
    answers.catch(() => undefined);
    await Promise.race([answers, ends]);
  } catch (error) {
    await gateway.kill();
    throw new Error(`the gateway did not start:\n${gateway.log()}`, { cause: error });
  }
  return gateway;
}

function control(child: ChildProcess, url: string, health: string, folder: string): RunningGateway {
  const chunks: string[] = [];
  child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => chunks.push(chunk.toString()));
  const ended = once(child, 'exit');
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    child.kill(signal);
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await ended;
    clearTimeout(timer);
    await rm(folder, { recursive: true, force: true });
  };
  return {
    url,
    pid: child.pid ?? -1,
    log: () => chunks.join(''),
    get: (where, { key, headers = {} } = {}) =>
      fetch(url + where, {
        headers: { ...headers, ...(key === undefined ? {} : { authorization: key }) },
        redirect: 'manual',
      }),
    control: (method, where, { body, secret = CONTROL_SECRET.reveal() } = {}) =>
      fetch(url + where, {
        method,
        headers: { 'x-tyk-authorization': secret, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }),
    hello: async () => (await (await fetch(`${url}/${health}`)).json()) as Hello,
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
  };
}

/** Tries until the attempt does not throw; fails with its last error after the time given. */
export async function eventually<T>(attempt: () => Promise<T> | T, timeoutMs = 8000): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await delay(POLL_MS);
    }
  }
}
