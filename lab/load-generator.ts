import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseWitness, summarise } from './clients/witness.ts';
import { localUrl, outside, type Lab } from './layout.ts';
import { declareService, nodeProgram } from './services.ts';

/** Clients that call through the load balancer all the time and write down every answer: the witness of an outage. */

const RATE_PER_SECOND = 20;
const RECENT_MS = 10_000;

const witnessFile = (lab: Lab): string => outside(lab, 'witness', 'clients.jsonl');

export async function declareClients(lab: Lab): Promise<void> {
  const main = fileURLToPath(new URL('./clients/load.js', import.meta.url));
  const options = {
    target: localUrl(lab.ports.traffic),
    plan: outside(lab, 'witness', 'plan.json'),
    out: witnessFile(lab),
    rate: String(RATE_PER_SECOND),
  };
  await declareService(lab, {
    name: 'clients',
    argv: nodeProgram(main, ...Object.entries(options).flatMap(([name, value]) => [`--${name}`, value])),
  });
}

/** What clients see now, in a line. */
export async function clientsStatus(lab: Lab, now = Date.now()): Promise<string> {
  const answers = parseWitness(await readFile(witnessFile(lab), 'utf8').catch(() => ''));
  const recent = summarise(answers.filter(({ at }) => Date.parse(at) > now - RECENT_MS));
  return `clients: ${recent.failed} of ${recent.requests} requests of the last ${RECENT_MS / 1000} s failed; all ${answers.length} are in ${witnessFile(lab)}`;
}
