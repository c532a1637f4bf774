import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { appendEvent, readJournal } from '../../../adapters/backup/journal.ts';

/** The journal of findings: two hundred people at once lose nothing of each other. */

let repository: string;
beforeAll(async () => {
  repository = await mkdtemp(join(tmpdir(), 'tyk-dr-journal-'));
});
afterAll(() => rm(repository, { recursive: true }));

test('events of the same moment are all kept; a damaged file is named and hides no other', async () => {
  const at = '2026-11-24T03:15:00.000Z';
  const event = (owner: string) =>
    ({ kind: 'assigned', finding: 'F-00000001', owner, actor: 'ann', at }) as const;
  const owners = Array.from({ length: 200 }, (_, number) => `owner ${number}`);
  await Promise.all(owners.map((owner) => appendEvent({ repository }, 'acme', event(owner))));
  const folder = join(repository, 'acme', 'journal');
  await writeFile(join(folder, '20261124T031500000Z-00000000.json'), '{"format":"tyk-dr/journal/v1","ki');
  const { entries, damaged } = await readJournal({ repository }, 'acme');
  expect(new Set(entries.map((entry) => entry.kind === 'assigned' && entry.owner)).size).toBe(200);
  expect(damaged).toEqual([join(folder, '20261124T031500000Z-00000000.json')]);
  expect((await readdir(folder)).filter((name) => name.endsWith('.new'))).toEqual([]);
  expect(await readJournal({ repository }, 'another')).toEqual({ entries: [], damaged: [] });
});
