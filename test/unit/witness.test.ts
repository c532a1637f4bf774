import { describe, expect, test } from 'vitest';
import { compareJournal, parseJournal } from '../../lab/clients/journal.ts';
import { parseWitness, summarise, type Answer } from '../../lab/clients/witness.ts';
import { parseDsn } from '../../lab/tyk/dsn.ts';

const second = (n: number): string => new Date(Date.UTC(2026, 0, 1) + n * 1000).toISOString();
const answer = (n: number, status: number, ms = 10): Answer => ({ at: second(n), path: '/x/', status, ms });

describe('the summary of the witness', () => {
  test('finds a planted outage, its borders and its failures', () => {
    const lines = [200, 200, 0, 503, 0, 200, 200, 200].map((status, n) => answer(n, status));
    const summary = summarise(lines);
    expect(summary.outages).toEqual([{ from: second(2), until: second(5), failed: 3 }]);
    expect(summary).toMatchObject({ requests: 8, failed: 3, availabilityPercent: 62.5 });
  });

  test('keeps two outages apart, and leaves the end of a lasting one open', () => {
    const lines = [502, 200, 0, 0].map((status, n) => answer(n, status));
    expect(summarise(lines).outages).toEqual([
      { from: second(0), until: second(1), failed: 1 },
      { from: second(2), until: null, failed: 2 },
    ]);
  });

  test('counts refusals of a Gateway as service, and as failures server errors and APIs that are gone', () => {
    const lines = [401, 403, 404, 429, 499, 500].map((status, n) => answer(n, status));
    expect(summarise(lines).failed).toBe(2);
  });

  test('orders by the time of sending: a request that timed out late belongs where it began', () => {
    const lines = [answer(0, 200), answer(3, 200), answer(2, 200), answer(1, 0, 5000)];
    expect(summarise(lines).outages).toEqual([{ from: second(1), until: second(2), failed: 1 }]);
  });

  test('takes percentiles over answered requests only', () => {
    const lines = Array.from({ length: 100 }, (_, n) => answer(n, 200, n + 1));
    const withoutAnswer = answer(200, 0, 5000);
    expect(summarise([...lines, withoutAnswer])).toMatchObject({ p50Ms: 50, p95Ms: 95, p99Ms: 99 });
  });

  test('claims nothing where nothing was sent', () => {
    expect(summarise([])).toMatchObject({ requests: 0, availabilityPercent: null, p50Ms: null, outages: [] });
  });

  test('reads the file of a witness that was killed in the middle of a line', () => {
    const text = `${JSON.stringify(answer(0, 200))}\n${JSON.stringify(answer(1, 0))}\n{"at":"2026-`;
    expect(parseWitness(text)).toEqual([answer(0, 200), answer(1, 0)]);
  });
});

describe('the comparison with the journal', () => {
  test('finds a planted hole and tells it from the lost end', () => {
    expect(compareJournal([1, 2, 3, 4, 5, 6, 7], [1, 2, 4, 5])).toEqual({
      lastAcknowledged: 7,
      lastRecovered: 5,
      lost: 3,
      holes: [3],
    });
  });

  test('takes numbers that were never acknowledged for no loss and no hole', () => {
    expect(compareJournal([1, 2, 9], [1, 2, 5, 9])).toMatchObject({ lost: 0, holes: [] });
  });

  test('does not depend on the order', () => {
    expect(compareJournal([7, 1, 3], [3, 2])).toMatchObject({ lastAcknowledged: 7, lost: 2, holes: [1] });
  });

  test('an empty store has lost everything and has no hole', () => {
    expect(compareJournal([1, 2], [])).toEqual({
      lastAcknowledged: 2,
      lastRecovered: null,
      lost: 2,
      holes: [],
    });
    expect(compareJournal([], []).lastAcknowledged).toBeNull();
  });

  test('reads the journal of a writer that was killed in the middle of a line', () => {
    const entry = { store: 'redis', seq: 12, at: second(0) };
    expect(parseJournal(`${JSON.stringify(entry)}\n{"store":"post`)).toEqual([entry]);
  });
});

describe('the connection string', () => {
  test('gives every part, whatever the password holds', () => {
    const dsn = parseDsn(
      `host=10.0.0.1 port = 5433 user=tyk password='it\\'s a \\\\ = "secret"' dbname=a sslmode=disable`,
    );
    expect(dsn).toMatchObject({ host: '10.0.0.1', port: 5433, user: 'tyk', database: 'a' });
    expect(dsn.password.reveal()).toBe(`it's a \\ = "secret"`);
  });

  test('has the defaults of libpq, and takes empty and escaped values', () => {
    expect(parseDsn('user=tyk')).toMatchObject({ host: '127.0.0.1', port: 5432, database: 'tyk' });
    const dsn = parseDsn(`  password='' dbname=my\\ base `);
    expect([dsn.password.reveal(), dsn.database]).toEqual(['', 'my base']);
  });

  test.each([`host=a password='sesame`, `password=sesame host`, `postgres://tyk:sesame@host/db`])(
    'refuses %s without repeating it',
    (text) => {
      const reading = (): unknown => parseDsn(text);
      expect(reading).toThrow(/malformed/);
      expect(reading).not.toThrow(/sesame/);
    },
  );
});
