/**
 * A stand-in for the Tyk Dashboard, for the lab: what Gateways and a recovery can see of it. The real one is closed
 * source; this one follows its public documentation and what a real Gateway asks.
 *
 *   node dist/lab/dashboard/main.js --conf /path/to/tyk_analytics.conf
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { parseArgs } from 'node:util';
import { VERSION } from '../gateway/health.ts';
import { log, reasonOf } from '../gateway/log.ts';
import { connectRedis } from '../gateway/redis.ts';
import { DASHBOARD_PATHS as PATHS } from '../tyk/dashboard-protocol.ts';
import { auditor } from './audit.ts';
import { readConf } from './conf.ts';
import { Nodes } from './nodes.ts';
import { Refused } from './refused.ts';
import { MongoStore } from './mongo-store.ts';
import { PostgresStore } from './store.ts';
import { UserApi } from './user-api.ts';

const { values } = parseArgs({ options: { conf: { type: 'string' }, version: { type: 'boolean' } } });
if (values.version) {
  process.stdout.write(`${VERSION}\n`);
  process.exit(0);
}
if (values.conf === undefined) throw new Error('--conf is missing');
const conf = await readConf(values.conf);
const redis = connectRedis(conf.redis, 'dashboard');
const store =
  'mongoUrl' in conf.database
    ? new MongoStore(conf.database.mongoUrl)
    : new PostgresStore(conf.database.postgres);
const nodes = new Nodes(redis, conf.nodeSecret);
const users = new UserApi(store, redis, conf);
const audit = auditor(conf.auditLog);

const server = createServer((request, response) => void answer(request, response));
server.listen(conf.port, '127.0.0.1', () => log('info', `listening on ${conf.port}`));

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    const url = new URL(request.url ?? '/', 'http://dashboard');
    const body = await route(request, url);
    await audit(request, url, 200);
    reply(response, 200, body);
  } catch (error) {
    if (error instanceof Refused)
      return reply(response, error.status, { Status: 'Error', Message: error.message, Meta: null });
    log('error', `${request.method} ${request.url?.split('?')[0]}: ${reasonOf(error)}`);
    reply(response, 500, { Status: 'Error', Message: 'Could not read from the database', Meta: null });
  }
}

async function route(request: IncomingMessage, url: URL): Promise<unknown> {
  switch (`${request.method} ${url.pathname}`) {
    // Liveness only: it says nothing of the database or Redis.
    case 'GET /hello':
      return { status: 'ok', version: 'v5.3.8', description: 'stand-in for the Tyk Dashboard' };
    case `GET ${PATHS.register}`: {
      const { id, nonce } = await nodes.register(request);
      log('info', `registered node ${id}`);
      return { Status: 'OK', Message: { NodeID: id }, Nonce: nonce };
    }
    case `GET ${PATHS.ping}`:
    case 'POST /system/key/quota_trigger':
      return { Status: 'OK', Message: null, Nonce: await nodes.admit(request) };
    case `GET ${PATHS.apis}`: {
      const nonce = await nodes.admit(request);
      return { Status: 'OK', Message: await store.publishedApis(), Nonce: nonce };
    }
    case `GET ${PATHS.policies}`: {
      const nonce = await nodes.admit(request);
      return { Status: 'OK', Message: await store.policies(), Nonce: nonce };
    }
    case `DELETE ${PATHS.deregister}`:
      await nodes.deregister(request);
      return { Status: 'OK', Nonce: '' };
    default:
      return users.route(request, url);
  }
}

function reply(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify(body));
}

process.on('SIGTERM', () => {
  server.close();
  server.closeAllConnections();
  redis.disconnect();
  void store.close().finally(() => process.exit(0));
});
