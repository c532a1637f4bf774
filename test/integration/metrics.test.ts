import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { afterAll, expect, test } from 'vitest';
import { call } from '../../adapters/tyk/http.ts';
import { loadConfig } from '../../adapters/config/load.ts';
import type { Config } from '../../domain/config.ts';
import { monitor as monitorSection } from '../../domain/config-monitor.ts';
import { serveMetrics } from '../../worker/metrics.ts';
import { wire } from '../../worker/wire.ts';
import { writeDeployment } from '../harness/deployment.ts';
import { freePort } from '../../adapters/host/free-port.ts';

/** What Prometheus reads from a worker. */

function withMonitor(config: Config): Config {
  const monitor = monitorSection.parse({ observers: ['dr', 'witness'], references: ['127.0.0.1:1'] });
  return { ...config, deployments: { acme: { ...config.deployments['acme']!, monitor } } };
}

const dir = await mkdtemp(join(tmpdir(), 'tyk-dr-test-'));
afterAll(() => rm(dir, { recursive: true, force: true }));

test('a site that serves without a proven set is out of bounds, and what is not measured has no value', async () => {
  const { configFile } = await writeDeployment(dir, {});
  // Where there are no stores of ours to look at, the Gateways tell that a site lives.
  const running = (await readFile(configFile, 'utf8')).replaceAll('exit 3', 'exit 0');
  await writeFile(configFile, running);
  const config = withMonitor(await loadConfig(configFile));
  const listen = `127.0.0.1:${await freePort()}`;
  // Nothing listens there: what Temporal alone knows has no value, and the rest is told.
  const away = new Client({ connection: Connection.lazy({ address: `127.0.0.1:${await freePort()}` }) });
  const server = await serveMetrics(config, wire(config, 'dr', 'test').deps, listen, away);
  try {
    const { status, headers, body } = await call(`http://${listen}/metrics`);
    expect(status).toBe(200);
    expect(headers['content-type']).toMatch(/^text\/plain; version=0.0.4/);
    const lines = body.split('\n').filter((line) => line.startsWith('tyk_dr_'));
    expect(lines).toEqual([
      'tyk_dr_site_live{deployment="acme",site="dr"} 1',
      'tyk_dr_rpo_seconds{deployment="acme"} 300',
      'tyk_dr_in_bounds{deployment="acme",site="dr",store="config"} 0',
    ]);
    expect(body).toContain('# TYPE tyk_dr_exposure_seconds gauge');
    expect(body).toContain('# TYPE tyk_dr_monitor_running gauge');
    expect(body).toMatch(/^process_resident_memory_bytes \d+$/m);
    expect((await call(`http://${listen}/`)).status).toBe(404);
    await expect(serveMetrics(config, wire(config, 'dr', 'test').deps, listen, away)).rejects.toThrow(
      /^metrics.dr.listen is '127.0.0.1:\d+'; expected a free address \(Error: listen EADDRINUSE/,
    );
  } finally {
    server.close();
  }
});
