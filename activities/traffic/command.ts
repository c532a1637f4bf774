import { run } from '../../adapters/process/run.ts';
import type { CommandTraffic } from '../../domain/config-traffic.ts';
import { DrError } from '../../domain/errors.ts';
import { nameOfTraffic } from '../../domain/traffic.ts';
import { awaitUntil } from '../await-until.ts';
import { proof } from '../proofs.ts';
import type { At, Moved, TrafficDriver } from './driver.ts';

/** Programs of the owner. What their `status` says is believed, and nothing else. */

/** Providers take their time; one that hangs must not hold up a recovery for ever. */
const COMMAND_TIMEOUT_MS = 120_000;
/** Providers round shares to whole percents. */
const ROUNDING = 1;

export function commandDriver(
  traffic: CommandTraffic,
  { run: runId, signal }: At,
  sites: readonly string[],
): TrafficDriver {
  const name = nameOfTraffic(traffic);
  /** @param output what a command wrote: it is told beside the error, without secrets */
  const failed = (reason: string, { cause, output }: { cause?: unknown; output?: string } = {}): DrError =>
    new DrError('TRAFFIC_FAILED', { backend: name, reason, ...(output ? { output } : {}) }, { cause });

  const call = async (
    what: string,
    argv: readonly string[],
    site?: string,
    percent?: number,
  ): Promise<string> => {
    try {
      const { stdout } = await run(argv, {
        env: {
          TYK_DR_RUN: runId,
          ...(site === undefined ? {} : { TYK_DR_SITE: site }),
          ...(percent === undefined ? {} : { TYK_DR_PERCENT: String(percent) }),
        },
        timeoutMs: COMMAND_TIMEOUT_MS,
        signal,
      });
      return stdout;
    } catch (error) {
      if (!(error instanceof DrError) || signal.aborted) throw error;
      const how = error.code === 'TOOL_MISSING' ? 'is not installed' : `ended with ${error.details['exit']}`;
      throw failed(`did not come about: the ${what} command ${how}`, { cause: error });
    }
  };

  const shares = async (): Promise<Record<string, number>> => {
    const said = await call('status', traffic.status);
    const read = sharesIn(said, sites);
    if (typeof read === 'string')
      throw failed(`is unknown: its status command says ${read}`, { output: said });
    return read;
  };
  const has = (now: Readonly<Record<string, number>>, site: string, percent: number): boolean =>
    Math.abs((now[site] ?? 0) - percent) <= (percent === 0 || percent === 100 ? 0 : ROUNDING);

  /** Runs a command until `status` shows what it was to do; not at all where it shows it already. */
  const until = async (
    [what, argv]: readonly [string, readonly string[]],
    site: string,
    percent: number,
    given: number | undefined,
  ): Promise<boolean> => {
    if (has(await shares(), site, percent)) return false;
    await call(what, argv, site, given);
    let now: Record<string, number> = {};
    await awaitUntil(async () => (has((now = await shares()), site, percent) ? true : undefined), {
      timeoutMs: traffic.holdsWithin,
      everyMs: 250,
      signal,
      late: () =>
        failed(
          `did not come about: the ${what} command ended well, and ${site} has ${now[site] ?? 0} %, not ${percent} %`,
        ),
    });
    return true;
  };

  const point = async (site: string, percent: number): Promise<Moved> => {
    const changed = await until(['switch', traffic.switch], site, percent, percent);
    return { changed, what: `${site} has ${percent} %, its status command says`, notes: [] };
  };

  return {
    name,
    look: async () => {
      const now = await shares();
      return { shares: now, found: { kind: 'command', shares: now } };
    },

    async check() {
      const now = await shares();
      return [proof('the command tells where the clients are sent', true, 'sites', textOf(now))];
    },

    point,

    async holdOut(site) {
      if (has(await shares(), site, 0)) return { changed: false, what: `${site} had no traffic`, notes: [] };
      if (traffic.holdOut === undefined) {
        const what = `${site} keeps its traffic: no holdOut command is configured`;
        return {
          changed: false,
          what,
          notes: [],
          exception: `clients could reach ${site} before it was proven: ${what}`,
        };
      }
      await until(['holdOut', traffic.holdOut], site, 0, undefined);
      return { changed: true, what: `${site} is held out, its status command says`, notes: [] };
    },

    async leadsTo(site) {
      const now = await shares();
      return proof('the status command names the target', has(now, site, 100), `${site} 100 %`, textOf(now));
    },

    async putBack(found) {
      if (found.kind !== 'command') throw failed(`was ${found.kind} when it was recorded`);
      const [most] = Object.entries(found.shares).sort(([, left], [, right]) => right - left);
      if (!most) return { changed: false, what: 'nobody had traffic before', notes: [] };
      return point(most[0], most[1]);
    },
  };
}

const textOf = (shares: Readonly<Record<string, number>>): string =>
  Object.entries(shares)
    .map(([site, percent]) => `${site} ${percent} %`)
    .join(', ') || 'no site';

/** `SITE`, or lines `SITE PERCENT`. @returns what is wrong with it, where it is neither */
function sharesIn(text: string, sites: readonly string[]): Record<string, number> | string {
  const shares: Record<string, number> = {};
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  if (lines.length === 0) return 'nothing; expected the name of a site';
  for (const line of lines) {
    const [site = '', percent = lines.length === 1 ? '100' : '', ...more] = line.trim().split(/\s+/);
    const share = Number(/^(\d+(?:\.\d+)?)%?$/.exec(percent)?.[1]);
    if (!sites.includes(site) || more.length > 0 || !(share <= 100) || site in shares)
      return `something else than SITE or SITE PERCENT, of ${sites.join(', ')}`;
    if (share > 0) shares[site] = share;
  }
  const total = Object.values(shares).reduce((sum, share) => sum + share, 0);
  return total > 100 + ROUNDING * lines.length ? `${textOf(shares)}, more than all` : shares;
}
