/**
 * A stand-in for the Tyk Gateway, for the lab: it does what test/contract/gateway saw the real one do, and no more.
 *
 *   node dist/lab/gateway/main.js --conf /path/to/tyk.conf
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { parseArgs } from 'node:util';
import { readConf, type Conf } from './conf.ts';
import { serveControl, type ControlDeps } from './control-api.ts';
import { DashboardClient } from './dashboard-client.ts';
import { Health, VERSION } from './health.ts';
import { Limiter } from './limiter.ts';
import { log, reasonOf } from './log.ts';
import { listenForNotifications } from './notifications.ts';
import { closeUpstreams } from './proxy.ts';
import { Recorder } from './recorder.ts';
import { connectRedis } from './redis.ts';
import { Registry } from './registry.ts';
import { Reloader } from './reloader.ts';
import { Sessions } from './sessions.ts';
import { serveTraffic, type TrafficDeps } from './traffic.ts';

/** Requests under way when the Gateway is told to stop may take this long to end. */
const DRAIN_MS = 5000;

const { values } = parseArgs({
  options: { conf: { type: 'string', default: 'tyk.conf' }, version: { type: 'boolean' } },
});
try {
  if (values.version) process.stdout.write(`${VERSION}\n`);
  else await run(await readConf(values.conf));
} catch (error) {
  log('error', `cannot start: ${reasonOf(error)}`);
  process.exit(1);
}

async function run(conf: Conf): Promise<void> {
  const redis = connectRedis(conf.redis, 'commands');
  const dashboard = conf.dashboardUrl === undefined ? undefined : new DashboardClient(conf);
  const registry = new Registry();
  const reloader = new Reloader(conf, dashboard, registry);
  const sessions = new Sessions(conf, redis);
  const limiter = new Limiter(redis);
  const recorder = conf.analytics && new Recorder(conf.analytics, redis);
  const health = new Health(conf, redis, dashboard);
  const stopListening = listenForNotifications(conf, reloader, sessions);

  const control: ControlDeps = { conf, redis, registry, reloader, sessions };
  const recordedKey = (keyId: string): string => sessions.nameOf(keyId);
  const traffic: TrafficDeps = { registry, sessions, limiter, recorder, recordedKey };
  const server = createServer((request, response) => {
    serve(conf, health, control, traffic, request, response).catch((error: unknown) => {
      log('error', `request failed: ${reasonOf(error)}`);
      response.destroy();
    });
  });
  server.listen(conf.listenPort, ...(conf.listenAddress === '' ? [] : [conf.listenAddress]));
  await once(server, 'listening');
  log('info', `${VERSION} listens on ${conf.listenAddress || '*'}:${conf.listenPort}`);

  const stop = async (signal: string): Promise<void> => {
    log('info', `${signal}: stopping`);
    const drained = new Promise((resolve) => server.close(resolve));
    server.closeIdleConnections();
    setTimeout(() => server.closeAllConnections(), DRAIN_MS).unref();
    reloader.stop();
    health.stop();
    stopListening();
    await dashboard?.leave();
    await drained;
    sessions.stop();
    limiter.stop();
    await recorder?.stop();
    redis.disconnect();
    closeUpstreams();
    log('info', 'stopped');
    process.exit(0);
  };
  process.once('SIGTERM', () => void stop('SIGTERM'));
  process.once('SIGINT', () => void stop('SIGINT'));

  await dashboard?.register();
  void dashboard?.beat();
  await reloader.start();
}

async function serve(
  conf: Conf,
  health: Health,
  control: ControlDeps,
  traffic: TrafficDeps,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = request.url ?? '/';
  if (url === conf.healthPath || url.startsWith(`${conf.healthPath}?`)) {
    const allowed = request.method === 'GET';
    const body = allowed ? health.report() : { status: 'error', message: 'Method Not Allowed' };
    response.writeHead(allowed ? 200 : 405, { 'content-type': 'application/json' });
    response.end(`${JSON.stringify(body)}\n`);
  } else if (url.startsWith('/tyk/')) {
    await serveControl(control, request, response);
  } else {
    await serveTraffic(traffic, request, response);
  }
}
