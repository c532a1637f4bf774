import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { configFile, PORT_NAMES, type Lab } from './layout.ts';
import { clientsStatus } from './load-generator.ts';
import { countStarts, pidOf } from './services.ts';

/** What runs, with its process, how often it was started, and what clients see. */
export async function labStatus(lab: Lab): Promise<string> {
  const names = (await readdir(join(lab.dir, 'services'))).sort();
  const starts = await countStarts(lab);
  const lines = await Promise.all(
    names.map(async (name) => {
      const pid = await pidOf(lab, name);
      const port = (PORT_NAMES as readonly string[]).includes(portName(name))
        ? `port ${lab.ports[portName(name) as keyof Lab['ports']]}`
        : '';
      return (
        `${name.padEnd(20)} ${pid === undefined ? 'stopped' : `running as ${pid}`}`.padEnd(44) +
        `${port.padEnd(12)} started ${starts[name] ?? 0} times`
      );
    }),
  );
  return [
    `lab in ${lab.dir}, configuration ${configFile(lab)}, seed ${lab.seed} at scale ${lab.scale}`,
    ...lines,
    await clientsStatus(lab),
  ].join('\n');
}

function portName(service: string): string {
  return service === 'haproxy' ? 'traffic' : service;
}
