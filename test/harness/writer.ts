import { readFile, writeFile } from 'node:fs/promises';
import { expect } from 'vitest';
import { withClient } from '../../adapters/postgres/client.ts';
import { withClient as withRedis } from '../../adapters/redis/client.ts';
import { parseJournal, type JournalEntry, type Store } from '../../lab/clients/journal.ts';
import { redisOf, superuserOf } from '../../lab/connections.ts';
import { keyFile, outside, sitePort, type Lab, type SiteName } from '../../lab/layout.ts';
import { startProgram, type Program } from '../contract/pump/program.ts';
import { eventually } from './gateway.ts';

/** A client that writes into the stores of a site and journals what they acknowledge, outside every site. */
export class Writer {
  readonly #lab: Lab;
  #program: Program | undefined;

  constructor(lab: Lab) {
    this.#lab = lab;
  }

  async start(site: SiteName): Promise<void> {
    const host = '127.0.0.1';
    const conf = {
      postgres: {
        ...{ host, port: sitePort(this.#lab, site, 'postgres'), user: 'tyk', database: 'tyk_analytics' },
        passwordFile: keyFile(this.#lab, 'postgres-tyk-password'),
      },
      redis: {
        ...{ host, port: sitePort(this.#lab, site, 'redis') },
        passwordFile: keyFile(this.#lab, `${site}-redis-password`),
      },
      journal: this.#journalFile(),
      ratePerSecond: 100,
    };
    await writeFile(outside(this.#lab, 'writer.json'), JSON.stringify(conf));
    this.#program = startProgram('lab/clients/writer.ts', ['--conf', outside(this.#lab, 'writer.json')]);
  }

  async stop(): Promise<void> {
    await this.#program?.stop();
    this.#program = undefined;
  }

  async kill(): Promise<void> {
    await this.#program?.kill();
    this.#program = undefined;
  }

  #journalFile(): string {
    return outside(this.#lab, 'journal.jsonl');
  }

  async entries(store: Store): Promise<JournalEntry[]> {
    const text = await readFile(this.#journalFile(), 'utf8').catch(() => '');
    return parseJournal(text).filter((entry) => entry.store === store);
  }

  async journal(store: Store): Promise<number[]> {
    return (await this.entries(store)).map(({ seq }) => seq);
  }

  /** Waits for so many more acknowledgements of a store. @returns the highest number by then. */
  async acknowledged(store: Store, more: number): Promise<number> {
    const before = (await this.journal(store)).length;
    return eventually(async () => {
      const numbers = await this.journal(store);
      expect(numbers.length).toBeGreaterThanOrEqual(before + more);
      return Math.max(...numbers);
    }, 30_000);
  }

  /** The numbers that the database of a site holds. */
  async rows(site: SiteName): Promise<number[]> {
    return withClient(await superuserOf(this.#lab, site), async (client) => {
      const found = await client.query<{ seq: string }>('SELECT seq FROM lab_journal');
      return found.rows.map(({ seq }) => Number(seq));
    });
  }

  async keys(site: SiteName): Promise<{ numbers: number[]; highest: number }> {
    return withRedis(await redisOf(this.#lab, site), async (client) => ({
      numbers: (await client.keys('lab-journal-[0-9]*')).map((key) =>
        Number(key.slice('lab-journal-'.length)),
      ),
      highest: Number(await client.get('lab-journal-max')),
    }));
  }
}
