import type { IncomingMessage } from 'node:http';
import type { Redis } from 'ioredis';
import type { ApiDefinition } from '../tyk/api-definition.ts';
import { NOTIFICATION_CHANNEL, signNotification } from '../tyk/notification.ts';
import type { Conf } from './conf.ts';
import { Refused } from './refused.ts';
import type { Store } from './store.ts';

/** The API for a user with an access key, and the admin API. A user sees their own organisation only. */

const PAGE_SIZE = 10;

export class UserApi {
  readonly #store: Store;
  readonly #redis: Redis;
  readonly #conf: Conf;

  constructor(store: Store, redis: Redis, conf: Conf) {
    this.#store = store;
    this.#redis = redis;
    this.#conf = conf;
  }

  async route(request: IncomingMessage, url: URL): Promise<unknown> {
    if (url.pathname === '/admin/organisations' && request.method === 'GET')
      return this.#organisations(request);
    if (!url.pathname.startsWith('/api/')) throw new Refused(404, 'Not found');
    const orgId = await this.#authorise(request);
    const apiId = /^\/api\/apis\/([^/]+)$/.exec(url.pathname)?.[1];
    if (apiId !== undefined)
      return request.method === 'PUT' ? this.#replace(request, orgId, apiId) : this.#one(orgId, apiId);
    switch (`${request.method} ${url.pathname}`) {
      case 'GET /api/apis':
        return this.#list(orgId, Number(url.searchParams.get('p') ?? '1'));
      case 'GET /api/portal/policies':
        return { Data: await this.#store.policies(orgId), Pages: 0 };
      case 'GET /api/users':
        return { users: await this.#store.users(orgId), pages: 0 };
      default:
        throw new Refused(404, 'Not found');
    }
  }

  /** A key counts while Redis knows it, as the real one keeps it there, and while its user is active. */
  async #authorise(request: IncomingMessage): Promise<string> {
    const accessKey = request.headers.authorization ?? '';
    const inRedis = accessKey !== '' && (await this.#redis.exists(`tyk-admin-api-${accessKey}`)) === 1;
    const orgId = inRedis ? await this.#store.organisationOf(accessKey) : undefined;
    if (orgId === undefined) throw new Refused(401, 'Not authorised');
    return orgId;
  }

  async #list(orgId: string, page: number): Promise<unknown> {
    const apis = await this.#store.organisationApis(orgId);
    const pages = Math.max(1, Math.ceil(apis.length / PAGE_SIZE));
    // p=-1 is Tyk's word for everything.
    return { apis: page === -1 ? apis : apis.slice((page - 1) * PAGE_SIZE, page * PAGE_SIZE), pages };
  }

  async #one(orgId: string, id: string): Promise<unknown> {
    const found = await this.#store.api(orgId, id);
    if (!found) throw new Refused(404, 'API not found');
    return found;
  }

  async #replace(request: IncomingMessage, orgId: string, id: string): Promise<unknown> {
    const { api_definition: definition } = JSON.parse(await bodyOf(request)) as {
      api_definition?: ApiDefinition;
    };
    if (definition?.org_id !== orgId) throw new Refused(400, 'api_definition of this organisation expected');
    if (!(await this.#store.replaceApi(orgId, id, definition))) throw new Refused(404, 'API not found');
    const notification = signNotification('ApiUpdated', this.#conf.nodeSecret);
    await this.#redis.publish(NOTIFICATION_CHANNEL, JSON.stringify(notification));
    return { Status: 'OK', Message: 'API updated', Meta: id };
  }

  async #organisations(request: IncomingMessage): Promise<unknown> {
    if (request.headers['admin-auth'] !== this.#conf.adminSecret.reveal())
      throw new Refused(401, 'Not authorised');
    return { organisations: await this.#store.organisations(), pages: 0 };
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
