import { readFile } from 'node:fs/promises';
import { parseConfig } from '../adapters/config/load.ts';
import { DrError } from '../domain/errors.ts';
import type { Strategy } from '../domain/strategy.ts';
import { parse } from 'yaml';
import { outside, SITES, type Lab } from './layout.ts';
import { temporalAddress } from './temporal.ts';

/**
 * What a configuration wants of a deployment, whatever it runs on: the lab takes it over, on its own sites. What it says
 * of places, secrets and people's addresses stays there.
 */

const TAKEN = [
  ...['tier', 'objectives', 'slos', 'load', 'strategy', 'replication', 'monitor', 'notify', 'approvers'],
  ...['roles', 'contacts', 'vendorSupport'],
] as const;

export type Wishes = Readonly<Record<string, unknown>>;

/** @throws DrError of a configuration that is not sound, BAD_ARGUMENT where it has not exactly one deployment */
export async function readWishes(file: string): Promise<{ wishes: Wishes; strategy: Strategy }> {
  const text = await readFile(file, 'utf8');
  const [[, deployment] = [], ...others] = Object.entries(parseConfig(text, file).deployments);
  if (!deployment || others.length > 0)
    throw new DrError('BAD_ARGUMENT', {
      argument: '--like',
      value: file,
      expected: 'a configuration of one deployment',
    });
  // As it is written: the defaults are put in again when the lab's own file is read.
  const [written] = Object.values(
    (parse(text, { merge: true }) as { deployments: Record<string, Wishes> }).deployments,
  );
  const wishes = Object.fromEntries(
    TAKEN.flatMap((name) => (name in written! ? [[name, written![name]]] : [])),
  );
  return { wishes, strategy: deployment.strategy };
}

/** The wishes as this lab can have them: its own workers look, and every channel is a file. */
export function onThisLab(lab: Lab, wishes: Wishes): Wishes {
  const { monitor, notify, replication, ...rest } = wishes as Record<
    string,
    Record<string, unknown> | undefined
  >;
  return {
    ...rest,
    ...(replication && { replication: { ...replication, database: undefined } }),
    ...(monitor && {
      monitor: { ...monitor, observers: [...SITES], references: [temporalAddress(lab)] },
    }),
    ...(notify && { notify: { ...notify, channels: asFiles(lab, notify['channels'] as object) } }),
  };
}

export const noticesFile = (lab: Lab, channel: string): string => outside(lab, 'notices', `${channel}.jsonl`);

function asFiles(lab: Lab, channels: object): object {
  return Object.fromEntries(
    Object.keys(channels).map((name) => [
      name,
      { kind: 'command', command: ['tee', '-a', noticesFile(lab, name)] },
    ]),
  );
}
