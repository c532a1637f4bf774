import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { outside, siteDir, type Lab } from '../../lab/layout.ts';

/** Runs an exported script as a commander does: bash and the programs of the system, no Node, no tyk-dr. */

export interface ScriptEnd {
  /** Null where it was killed. */
  readonly exitCode: number | null;
  readonly said: string;
}

const SYSTEM_PATH = '/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin';
const POLL_MS = 10;

/** @param killWhen looked at all the time; as soon as it holds the script gets SIGKILL. */
export async function runScript(
  lab: Lab,
  args: readonly string[],
  killWhen?: () => Promise<boolean>,
): Promise<ScriptEnd> {
  const script = join(outside(lab, 'sets'), lab.deployment, 'runbook', 'recover-dr.sh');
  const child = spawn('bash', [script, ...args], {
    env: { PATH: SYSTEM_PATH, HOME: '/root' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (said += text));
  const ended = once(child, 'close') as Promise<[number | null]>;
  let running = true;
  void ended.then(() => (running = false));
  while (killWhen && running) {
    if (await killWhen()) {
      child.kill('SIGKILL');
      break;
    }
    await sleep(POLL_MS);
  }
  const [exitCode] = await ended;
  return { exitCode, said };
}

/** The events of the newest run that is logged on the site: newest by what stands in it, not by its name. */
export async function scriptEvents(lab: Lab): Promise<Record<string, unknown>[]> {
  const folder = scriptLogs(lab);
  const names = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith('.jsonl'));
  const logs = await Promise.all(
    names.map(async (name) => linesOf(await readFile(join(folder, name), 'utf8'))),
  );
  const begunAt = (log: Record<string, unknown>[]): number => Number(log[0]?.['epoch'] ?? 0);
  return logs.sort((a, b) => begunAt(a) - begunAt(b)).at(-1) ?? [];
}

export const scriptLogs = (lab: Lab): string => siteDir(lab, 'dr', 'state', 'by-script');

/** The last one may just be being written. */
function linesOf(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
