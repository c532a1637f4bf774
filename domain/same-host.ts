/**
 * One spelling of what means this host, so that two addresses can be compared. Names are not looked up: what a name
 * server says is not known here.
 */
export function sameHost(host: string): string {
  const bare = host
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '')
    .toLowerCase();
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(bare)?.[1] ?? hexMapped(bare) ?? bare;
  return isThisHost(mapped) ? 'this host' : mapped;
}

/** Connecting to the unspecified address reaches this host as well, and so does all of 127.0.0.0/8. */
function isThisHost(host: string): boolean {
  return (
    ['localhost', 'ip6-localhost', 'localhost.localdomain', '::1', '::', '0.0.0.0', '0'].includes(host) ||
    host.endsWith('.localhost') ||
    /^127(\.\d+){1,3}$/.test(host)
  );
}

/** `::ffff:7f00:1`, as a URL writes `::ffff:127.0.0.1`. */
function hexMapped(host: string): string | undefined {
  const [, high, low] = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(host) ?? [];
  if (high === undefined || low === undefined) return undefined;
  const number = (Number.parseInt(high, 16) << 16) | Number.parseInt(low, 16);
  return [24, 16, 8, 0].map((shift) => (number >>> shift) & 0xff).join('.');
}
