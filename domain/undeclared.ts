/** Running components that the configuration does not declare: what nobody backs up, and no recovery brings back. Pure. */

/** By the names of processes. */
const KINDS: Readonly<Record<string, string>> = {
  'redis-server': 'Redis',
  'valkey-server': 'Redis (Valkey)',
  'keydb-server': 'Redis (KeyDB)',
  postgres: 'PostgreSQL',
  mongod: 'MongoDB',
  tyk: 'Tyk Gateway',
  'tyk-gateway': 'Tyk Gateway',
  'tyk-analytics': 'Tyk Dashboard',
  'tyk-pump': 'Tyk Pump',
};

export interface Undeclared {
  readonly kind: string;
  readonly program: string;
  readonly ports: readonly number[];
}

/** What a worker has seen on its host. */
export interface HostLook {
  readonly version: 1;
  readonly worker: string;
  readonly at: string;
  readonly undeclared: readonly Undeclared[];
  /** Listening ports of which the worker's user may not see the program. */
  readonly unknown: readonly number[];
}

/** A process with one declared port is declared: a Gateway's control port goes with it. */
export function undeclaredOf(
  listeners: readonly { readonly program: string; readonly ports: readonly number[] }[],
  declared: ReadonlySet<number>,
): Undeclared[] {
  return listeners.flatMap(({ program, ports }) => {
    const kind = KINDS[program];
    if (kind === undefined || ports.some((port) => declared.has(port))) return [];
    return [{ kind, program, ports }];
  });
}

/** Every port that a configuration names: `port:`, and the ends of addresses. */
export function declaredPorts(config: unknown): Set<number> {
  const found = new Set<number>();
  const visit = (value: unknown, key: string): void => {
    if (typeof value === 'number' && /port$/i.test(key)) found.add(value);
    else if (typeof value === 'string') {
      const port = /^(?:[a-z]+:\/\/)?[^/\s]*:(\d{1,5})(?:[/,?].*)?$/.exec(value)?.[1];
      if (port !== undefined) found.add(Number(port));
      else if (/^https?:\/\//.test(value)) found.add(value.startsWith('https') ? 443 : 80);
    } else if (typeof value === 'object' && value !== null)
      for (const [name, item] of Object.entries(value)) visit(item, Array.isArray(value) ? key : name);
  };
  visit(config, '');
  return found;
}
