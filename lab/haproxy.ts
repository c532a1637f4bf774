import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { declareService } from './services.ts';
import { GATEWAYS, SITES, sitePort, type Lab } from './layout.ts';

/**
 * The clients' address. The servers of dr are `disabled`, never `backup`: no health check may move traffic before
 * the recovery has proven the site.
 */
export async function declareHaproxy(lab: Lab): Promise<void> {
  const dir = join(lab.dir, 'haproxy');
  await mkdir(dir, { recursive: true });
  const servers = SITES.flatMap((site) =>
    GATEWAYS.map((gateway) => {
      const line = `  server ${serverName(site, gateway)} 127.0.0.1:${sitePort(lab, site, gateway)} check inter 500ms fall 2 rise 1`;
      return site === 'primary' ? line : `${line} disabled`;
    }),
  );
  const conf = [
    'global',
    '  log stdout format raw local0',
    `  stats socket ${haproxySocket(lab)} mode 600 level admin`,
    `  server-state-file ${haproxyStateFile(lab)}`,
    'defaults',
    '  mode http',
    '  log global',
    '  option httplog',
    '  timeout connect 1s',
    '  timeout client 15s',
    '  timeout server 15s',
    '  load-server-state-from-file global',
    'frontend clients',
    `  bind 127.0.0.1:${lab.ports.traffic}`,
    // A Gateway serves its control API on the same port: it is nothing for clients.
    '  http-request deny deny_status 404 if { path_beg -i /tyk/ } or { path -i /tyk }',
    '  default_backend gateways',
    'backend gateways',
    // A request that found no server at the other end is sent to another one.
    '  option redispatch',
    '  retries 3',
    '  balance roundrobin',
    '  option httpchk GET /hello',
    ...servers,
  ];
  await writeFile(join(dir, 'haproxy.cfg'), `${conf.join('\n')}\n`);
  await writeFile(haproxyStateFile(lab), '', { flag: 'a' });
  await declareService(lab, {
    name: 'haproxy',
    argv: ['/usr/sbin/haproxy', '-db', '-f', join(dir, 'haproxy.cfg')],
  });
}

export const serverName = (site: string, gateway: string): string => `${site}-${gateway}`;
export const haproxySocket = (lab: Lab): string => join(lab.dir, 'haproxy', 'admin.sock');
export const haproxyStateFile = (lab: Lab): string => join(lab.dir, 'haproxy', 'servers.state');
