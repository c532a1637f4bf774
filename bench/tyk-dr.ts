import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { DrError } from '../domain/errors.ts';
import { configFile, type Lab } from '../lab/layout.ts';

const PROGRAM = fileURLToPath(new URL('../../bin/tyk-dr.js', import.meta.url));

/** `tyk-dr`, as its users call it. @returns its standard output @throws DrError TOOL_FAILED for any other exit code */
export async function tykDr(
  lab: Lab,
  args: readonly string[],
  allowed: readonly number[] = [0],
): Promise<string> {
  const { exitCode, stdout, all } = await execa(process.execPath, [PROGRAM, ...args], {
    env: { TYK_DR_CONFIG: configFile(lab) },
    all: true,
    reject: false,
    stdin: 'ignore',
  });
  if (exitCode !== undefined && allowed.includes(exitCode)) return stdout;
  const how = `exit code ${exitCode}`;
  throw new DrError('TOOL_FAILED', { tool: `tyk-dr ${args[0]}`, exit: how, output: all.slice(-4_000) });
}

export async function tykDrJson<T>(lab: Lab, args: readonly string[]): Promise<T> {
  return JSON.parse(await tykDr(lab, args)) as T;
}
