import type { ApiListEntry } from '../tyk/api-definition.ts';
import type { Conf } from './conf.ts';
import { RegisteredAnew, type DashboardClient } from './dashboard-client.ts';
import { readApis, readPolicies } from './file-source.ts';
import { log, reasonOf } from './log.ts';
import type { Registry } from './registry.ts';

/** Reloads asked for within a second become one. */
const TICK_MS = 1000;

/** Brings policies, then APIs, into the registry. Where either fails, all that is loaded stays. */
export class Reloader {
  readonly #conf: Conf;
  readonly #dashboard: DashboardClient | undefined;
  readonly #registry: Registry;
  #waiting: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;
  #busy = false;

  constructor(conf: Conf, dashboard: DashboardClient | undefined, registry: Registry) {
    this.#conf = conf;
    this.#dashboard = dashboard;
    this.#registry = registry;
  }

  /** The first load, and from then on one look a second at whether another was asked for. */
  async start(): Promise<void> {
    await this.#reload();
    this.#timer = setInterval(() => void this.#tick(), TICK_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Asks for a reload; resolves when one has ended, well or not. */
  request(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  async #tick(): Promise<void> {
    if (this.#busy || this.#waiting.length === 0) return;
    this.#busy = true;
    const done = this.#waiting;
    this.#waiting = [];
    await this.#reload();
    for (const resolve of done) resolve();
    this.#busy = false;
  }

  async #reload(): Promise<void> {
    try {
      const policies = await this.#fetchPolicies();
      const byObjectId = this.#conf.policiesUrl !== undefined && !this.#conf.explicitPolicyIds;
      this.#registry.replacePolicies(policies, byObjectId ? '_id' : 'id');
      const apis = this.#ofThisSegment(await this.#fetchApis());
      this.#registry.replaceApis(apis);
      log('info', `reload complete: ${apis.length} APIs, ${this.#registry.policies().length} policies`);
    } catch (error) {
      log('error', `reload failed, all that was loaded stays: ${reasonOf(error)}`);
      if (error instanceof RegisteredAnew) void this.request();
    }
  }

  #fetchPolicies() {
    if (this.#dashboard && this.#conf.policiesUrl !== undefined) return this.#dashboard.fetchPolicies();
    return readPolicies(this.#conf.policyPath).then((list) =>
      // In a file the id is what counts; the object id may be of any form.
      list.map((policy) => ({ ...policy, _id: '' })),
    );
  }

  #fetchApis() {
    return this.#dashboard ? this.#dashboard.fetchApis() : readApis(this.#conf.appPath);
  }

  #ofThisSegment(list: readonly ApiListEntry[]): readonly ApiListEntry[] {
    const { tags } = this.#conf;
    if (!this.#dashboard || tags === undefined) return list;
    return list.filter(
      ({ api_definition: api }) => !api.tags_disabled && api.tags?.some((tag) => tags.includes(tag)),
    );
  }
}
