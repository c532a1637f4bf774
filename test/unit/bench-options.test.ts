import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { expect, test } from 'vitest';

/** What somebody types wrongly at a measurement's command is told of as such, before anything is started. */

const ONE_PROCESS_MS = 60_000;

async function bench(
  name: string,
  ...args: string[]
): Promise<{ exitCode?: number | undefined; said: string }> {
  const file = fileURLToPath(new URL(`../../bench/${name}.ts`, import.meta.url));
  const { exitCode, stdout, stderr } = await execa(process.execPath, ['--import', 'tsx', file, ...args], {
    reject: false,
  });
  return { exitCode, said: `${stdout}${stderr}` };
}

test.each(['main', 'strategies', 'fleet'])(
  'bench/%s: an option that there is not is a bad argument, and no bug',
  async (name) => {
    const { exitCode, said } = await bench(name, '--unknown');
    expect(said).toMatch(/^error: option is '--unknown'; expected one of --[^\n]*--json[^\n]*\nhint: /);
    expect(exitCode).toBe(2);
  },
  ONE_PROCESS_MS,
);

test.each([
  [['--circles'], "error: --circles is ''; expected a value"],
  [['--json=yes'], "error: --json is 'yes'; expected no value"],
  [['small'], "error: argument is 'small'; expected options only, see --help"],
  [['--circles', 'many'], "error: --circles is 'many'; expected a whole number from 0 to 100"],
])(
  'bench/strategies %j',
  async (args, expected) => {
    const { exitCode, said } = await bench('strategies', ...args);
    expect(said).toContain(`${expected}\n`);
    expect(exitCode).toBe(2);
  },
  ONE_PROCESS_MS,
);

test(
  'each tells its options',
  async () => {
    const { exitCode, said } = await bench('fleet', '--help');
    expect(said).toMatch(/^usage: npm run bench:fleet/);
    expect(exitCode).toBe(0);
  },
  ONE_PROCESS_MS,
);
