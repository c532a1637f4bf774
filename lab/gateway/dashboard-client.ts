import { randomUUID } from 'node:crypto';
import { Agent, request } from 'node:http';
import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import type { ApiListEntry } from '../tyk/api-definition.ts';
import { DASHBOARD_HEADERS, DASHBOARD_PATHS, type DashboardReply } from '../tyk/dashboard-protocol.ts';
import type { Policy } from '../tyk/policy.ts';
import type { Conf } from './conf.ts';
import { log, reasonOf } from './log.ts';

const RETRY_MS = 5000;
const HEARTBEAT_MS = 2000;
const TIMEOUT_MS = 30_000;

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** A fetch was refused; by now the node is registered anew, and another fetch may succeed. */
export class RegisteredAnew extends Error {}

/** The Gateway's side of the Dashboard protocol: one node id, and the nonce of the last reply. */
export class DashboardClient {
  readonly #conf: Conf;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #sessionId = randomUUID();
  #nodeId = '';
  #nonce = '';
  #beating = false;
  #stopped = false;

  constructor(conf: Conf) {
    this.#conf = conf;
  }

  /** Registers, trying again every 5 s until the Dashboard gives a node id. */
  async register(): Promise<void> {
    while (!this.#stopped) {
      const problem = await this.#tryToRegister();
      if (problem === undefined) {
        log('info', `registered with the Dashboard as ${this.#nodeId}`);
        return;
      }
      log('error', `registration failed: ${problem}; trying again in ${RETRY_MS / 1000} s`);
      await delay(RETRY_MS, undefined, { ref: false });
    }
  }

  /** Pings every 2 s until stopped. */
  async beat(): Promise<void> {
    this.#beating = true;
    while (this.#beating) {
      await this.ping().catch((error: unknown) => log('warning', reasonOf(error)));
      await delay(HEARTBEAT_MS, undefined, { ref: false });
    }
  }

  /** One heartbeat. A refused one registers anew; any other trouble is thrown. */
  async ping(): Promise<void> {
    const answer = await this.#send('GET', DASHBOARD_PATHS.ping).catch(() => undefined);
    if (!answer) throw new Error('dashboard is down? Heartbeat is failing');
    if (answer.status === 403) return this.register();
    if (answer.status !== 200) throw new Error('dashboard is down? Heartbeat non-200 response');
    this.#read(answer);
  }

  /** What `/system/policies` lists. On a refusal it registers anew, then throws RegisteredAnew. */
  fetchPolicies(): Promise<readonly Policy[]> {
    return this.#fetch<Policy>(DASHBOARD_PATHS.policies, this.#conf.policiesUrl);
  }

  /** What `/system/apis` lists. On a refusal it registers anew, then throws RegisteredAnew. */
  fetchApis(): Promise<readonly ApiListEntry[]> {
    return this.#fetch<ApiListEntry>(DASHBOARD_PATHS.apis);
  }

  /** Says farewell and stops pinging. Trouble is only logged: the Gateway is leaving anyway. */
  async leave(): Promise<void> {
    this.#stopped = true;
    this.#beating = false;
    if (this.#nodeId !== '') await this.#deregister();
    this.#agent.destroy();
  }

  async #deregister(): Promise<void> {
    try {
      const answer = await this.#send('DELETE', DASHBOARD_PATHS.deregister);
      if (answer.status !== 200) throw new Error(`status ${answer.status}`);
      this.#read(answer);
      log('info', 'deregistered');
    } catch (error) {
      log('error', `could not deregister: ${reasonOf(error)}`);
    }
  }

  async #tryToRegister(): Promise<string | undefined> {
    try {
      const answer = await this.#send('GET', DASHBOARD_PATHS.register);
      if (answer.status !== 200) return `status ${answer.status}`;
      const { NodeID: nodeId } = this.#read<{ NodeID?: string }>(answer) ?? {};
      if (!nodeId) return 'no node id in the reply';
      this.#nodeId = nodeId;
      return undefined;
    } catch (error) {
      return reasonOf(error);
    }
  }

  async #fetch<Item>(path: string, base?: string): Promise<readonly Item[]> {
    const answer = await this.#send('GET', path, base);
    if (answer.status !== 200) {
      await this.#registerAnew();
      throw new RegisteredAnew(`${path} was answered with status ${answer.status}`);
    }
    return this.#read<readonly Item[] | null>(answer) ?? [];
  }

  async #registerAnew(): Promise<void> {
    this.#beating = false;
    await this.#deregister();
    await delay(RETRY_MS, undefined, { ref: false });
    if (this.#stopped) return;
    await this.register();
    void this.beat();
  }

  #read<Message>(answer: Answer): Message {
    const reply = JSON.parse(answer.body) as DashboardReply<Message>;
    this.#nonce = reply.Nonce ?? '';
    return reply.Message;
  }

  #send(method: string, path: string, base = this.#conf.dashboardUrl): Promise<Answer> {
    const headers = {
      [DASHBOARD_HEADERS.nodeSecret]: this.#conf.nodeSecret.reveal(),
      [DASHBOARD_HEADERS.hostname]: hostname(),
      [DASHBOARD_HEADERS.sessionId]: this.#sessionId,
      [DASHBOARD_HEADERS.nodeId]: this.#nodeId,
      [DASHBOARD_HEADERS.nonce]: this.#nonce,
    };
    return new Promise((resolve, reject) => {
      const outgoing = request(`${base}${path}`, {
        method,
        headers,
        agent: this.#agent,
        timeout: TIMEOUT_MS,
      });
      outgoing.on('timeout', () => outgoing.destroy(new Error('no answer from the Dashboard')));
      outgoing.on('error', reject);
      outgoing.on('response', (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
        incoming.on('error', reject);
        incoming.on('end', () =>
          resolve({ status: incoming.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') }),
        );
      });
      outgoing.end();
    });
  }
}
