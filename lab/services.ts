import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../adapters/process/run.ts';
import { siteDir, type Lab, type SiteName } from './layout.ts';

/**
 * The lab's stand-in for systemd: one shell script over Debian's start-stop-daemon. It honours a site's fence
 * marker, and counts every real start in `starts.log`, which is how tests know that nothing was started twice.
 */

export interface LabService {
  readonly name: string;
  readonly site?: SiteName;
  readonly user?: string;
  readonly argv: readonly [string, ...string[]];
  readonly env?: Readonly<Record<string, string>>;
  readonly stopSignal?: 'TERM' | 'INT';
}

const SCRIPT = `#!/bin/sh
# service NAME start|stop|status|pid - written by tyk-dr lab. Exit code of status: 0 running, 3 stopped.
set -eu
LAB=$(cd "$(dirname "$0")/.." && pwd)
name=$1
action=$2
RUN_AS= STATE_DIR= STOP_SIGNAL=TERM
. "$LAB/services/$name"
pidfile="$LAB/run/$name.pid"
running() { start-stop-daemon --status --pidfile "$pidfile" --exec "$1"; }
case $action in
start)
  if [ -n "$STATE_DIR" ] && [ -e "$STATE_DIR/fenced" ]; then
    echo "$name is fenced: $(cat "$STATE_DIR/fenced")" >&2
    exit 76
  fi
  if running "$1"; then exit 0; fi
  echo "$(date -u +%Y-%m-%dT%H:%M:%S.%3NZ) $name" >> "$LAB/run/starts.log"
  program=$1
  shift
  start-stop-daemon --start --quiet --oknodo --background --make-pidfile --pidfile "$pidfile" \\
    \${RUN_AS:+--chuid "$RUN_AS"} --output "$LAB/log/$name.log" --exec "$program" -- "$@"
  ;;
stop)
  start-stop-daemon --stop --quiet --oknodo --retry "$STOP_SIGNAL/60/KILL/5" --pidfile "$pidfile" --exec "$1" --remove-pidfile
  ;;
status)
  if running "$1"; then exit 0; else exit 3; fi
  ;;
pid)
  if running "$1"; then cat "$pidfile"; else exit 3; fi
  ;;
*)
  echo "usage: service NAME start|stop|status|pid" >&2
  exit 2
  ;;
esac
`;

export const serviceScript = (lab: Lab): string => join(lab.dir, 'bin', 'service');

export async function installScript(lab: Lab): Promise<void> {
  for (const folder of ['bin', 'services', 'run', 'log'])
    await mkdir(join(lab.dir, folder), { recursive: true });
  await chmod(join(lab.dir, 'log'), 0o777);
  await writeFile(serviceScript(lab), SCRIPT, { mode: 0o755 });
}

/** Declares a service; starting it is another matter. */
export async function declareService(lab: Lab, service: LabService): Promise<void> {
  const lines = [
    ...(service.user === undefined ? [] : [`RUN_AS=${quote(service.user)}`]),
    ...(service.site === undefined ? [] : [`STATE_DIR=${quote(siteDir(lab, service.site, 'state'))}`]),
    `STOP_SIGNAL=${service.stopSignal ?? 'TERM'}`,
    ...Object.entries(service.env ?? {}).map(([name, value]) => `export ${name}=${quote(value)}`),
    `set -- ${service.argv.map(quote).join(' ')}`,
  ];
  await writeFile(join(lab.dir, 'services', service.name), `${lines.join('\n')}\n`, { mode: 0o600 });
}

export function serviceCommand(
  lab: Lab,
  name: string,
): { start: string[]; stop: string[]; status: string[] } {
  const script = serviceScript(lab);
  return { start: [script, name, 'start'], stop: [script, name, 'stop'], status: [script, name, 'status'] };
}

export async function start(lab: Lab, name: string): Promise<void> {
  await run([serviceScript(lab), name, 'start']);
}

export async function stop(lab: Lab, name: string): Promise<void> {
  await run([serviceScript(lab), name, 'stop'], { timeoutMs: 90_000 });
}

/** The process of a service, or undefined where it does not run. */
export async function pidOf(lab: Lab, name: string): Promise<number | undefined> {
  const { exitCode, stdout } = await run([serviceScript(lab), name, 'pid'], {
    allowedExitCodes: [2, 3, 127],
  });
  return exitCode === 0 ? Number(stdout.trim()) : undefined;
}

/** How often each service was really started, from the script's own log. */
export async function countStarts(lab: Lab): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  const text = await readFile(join(lab.dir, 'run', 'starts.log'), 'utf8').catch(() => '');
  for (const line of text.split('\n').filter(Boolean)) {
    const name = line.split(' ')[1]!;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

/** A stand-in of ours: a compiled main beside this file's folder. */
export function nodeProgram(main: string, ...args: string[]): [string, ...string[]] {
  return [process.execPath, main, ...args];
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
