import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeDurably } from '../files/durable.ts';
import { readJsonIfThere } from '../files/read-json.ts';

/**
 * In the state folder of a site that was a standby: the failover that has taken command of it. Where that run was lost
 * on its way, the next one goes on from there: what it has promoted follows nobody any more.
 */

export interface TakeoverMark {
  /** The site that it had followed. */
  readonly of: string;
  readonly run: string;
}

const takeoverFile = (stateDir: string): string => join(stateDir, 'takeover.json');

export function readTakeoverMark(stateDir: string): Promise<TakeoverMark | undefined> {
  return readJsonIfThere(takeoverFile(stateDir));
}

export async function writeTakeoverMark(stateDir: string, mark: TakeoverMark): Promise<void> {
  await writeDurably(takeoverFile(stateDir), JSON.stringify(mark));
}

export async function removeTakeoverMark(stateDir: string): Promise<void> {
  await rm(takeoverFile(stateDir), { force: true });
}
