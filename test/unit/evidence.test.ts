import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { openPack, makePack } from '../../adapters/evidence/pack.ts';
import { readTar, writeTar, type Member } from '../../adapters/evidence/tar.ts';
import { isWhole, verifyChain } from '../../adapters/evidence/verify.ts';
import { publicKeyOf } from '../../adapters/backup/signing.ts';
import { answerControls, CONTROLS } from '../../domain/control-map.ts';
import type { Criterion } from '../../domain/criteria.ts';
import { indexText, parseIndex } from '../../domain/evidence.ts';
import { newSigningKey } from '../harness/deployment.ts';
import { runRecord } from '../harness/run-record.ts';

/** Evidence packs as bytes: what an auditor is given, and every way in which it may have been changed since. */

const KEY = newSigningKey();
const TRUSTED = [publicKeyOf(KEY)];
const member = (name: string, text: string): Member => ({ name, data: Buffer.from(text) });
const MEMBERS = [
  member('record.json', '{"a":1}\n'),
  member('logs/run.log', 'it began\n'),
  member('empty', ''),
];

function pack(sequence: number, previous?: string, members = MEMBERS) {
  const facts = { deployment: 'acme', run: `rec-${sequence}`, tool: 'tyk-dr test' };
  const header = { ...facts, sequence, previous, createdAt: '2026-11-24T03:15:00Z' };
  return makePack(members, header, KEY);
}

/** Packs 1 to n, each behind the one before. */
function chainOf(count: number): Buffer[] {
  const archives: Buffer[] = [];
  let previous: string | undefined;
  for (let sequence = 1; sequence <= count; sequence += 1) {
    const made = pack(sequence, previous);
    archives.push(made.archive);
    previous = made.digest;
  }
  return archives;
}

const given = (archives: readonly Buffer[], names: readonly string[] = []) =>
  archives.map((archive, at) => ({ file: names[at] ?? `${at}.tar`, opened: openPack(archive, TRUSTED) }));

describe('one pack', () => {
  test('is the same bytes for the same content, and whole', () => {
    expect(pack(1).archive.equals(pack(1, undefined, [...MEMBERS].reverse()).archive)).toBe(true);
    expect(openPack(pack(1).archive, TRUSTED).problems).toEqual([]);
  });

  test('any byte that is changed, anywhere, is found', () => {
    const { archive } = pack(1);
    // Of the whole archive one in 37, each at another place of its block: headers, contents, padding and end.
    for (let at = 0; at < archive.length; at += 37) {
      const changed = Buffer.from(archive);
      changed[at] = changed[at]! ^ 1;
      expect(openPack(changed, TRUSTED).problems.length, `byte ${at}`).toBeGreaterThan(0);
    }
  });

  test('whatever is cut off or put behind it is found', () => {
    const { archive } = pack(1);
    for (const bytes of [0, 1, 511, 512, 1024, archive.length - 1024, archive.length - 1])
      expect(openPack(archive.subarray(0, bytes), TRUSTED).problems, `${bytes}`).not.toEqual([]);
    expect(openPack(Buffer.concat([archive, Buffer.alloc(512)]), TRUSTED).problems).toEqual([
      expect.stringContaining('after the last member'),
    ]);
  });

  test('what was changed, removed, added or doubled is named', () => {
    const members = readTar(pack(1).archive);
    const problems = (changed: readonly Member[]): string =>
      openPack(writeTar(changed, 0), TRUSTED).problems.join('; ');
    const without = members.filter(({ name }) => name !== 'logs/run.log');
    expect(problems(without)).toContain('logs/run.log is missing');
    expect(problems([...without, member('logs/run.log', 'it never began\n')])).toContain(
      'logs/run.log was changed',
    );
    expect(problems([...members, member('praise.txt', 'all was well')])).toContain('praise.txt was added');
    expect(problems([...members, member('empty', '')])).toContain('empty is there twice');
    expect(problems(members.filter(({ name }) => name !== 'INDEX.sig'))).toContain('INDEX.sig is missing');
    expect(problems(members.filter(({ name }) => name !== 'INDEX'))).toContain('no evidence pack');
  });

  test('a foreign signature does not count, also where the key of the index is exchanged with it', () => {
    const foreign = newSigningKey();
    const header = { deployment: 'acme', run: 'rec-1', sequence: 1, previous: undefined };
    const made = makePack(MEMBERS, { ...header, createdAt: '2026-11-24T03:15:00Z', tool: 't' }, foreign);
    expect(openPack(made.archive, TRUSTED).problems.join()).toContain('not trusted');
    const members = readTar(made.archive);
    const index = members.find(({ name }) => name === 'INDEX')!;
    const forged = index.data.toString().replace(publicKeyOf(foreign), TRUSTED[0]!);
    const exchanged = members.map((each) => (each === index ? member('INDEX', forged) : each));
    expect(openPack(writeTar(exchanged, 0), TRUSTED).problems.join()).toContain(
      'changed after it was signed',
    );
  });

  test('an index is read only as it is written: nothing hides in it', () => {
    const header = { deployment: 'acme', run: 'r', sequence: 1, previous: undefined, key: TRUSTED[0]! };
    const sum = createHash('sha256').update('a').digest('hex');
    const text = indexText(
      { ...header, createdAt: '2026-11-24T03:15:00Z', tool: 't' },
      new Map([['a', sum]]),
    );
    expect(parseIndex(text)?.sums.get('a')).toBe(sum);
    for (const other of [
      `${text}#\n`,
      text.replace('  a', '  ../a'),
      text.replace('sequence: 1', 'sequence: 01'),
    ])
      expect(parseIndex(other)).toBeUndefined();
  });
});

describe('a chain', () => {
  const texts = (archives: readonly Buffer[], wish = {}, names: readonly string[] = []): string[] => {
    const { packs, chain } = verifyChain(given(archives, names), wish);
    return [...chain, ...packs.flatMap(({ problems }) => problems)];
  };

  test('that is whole has nothing to say', () => {
    const verdict = verifyChain(given(chainOf(4)));
    expect(isWhole(verdict)).toBe(true);
    expect(verdict.notChecked).toEqual([expect.stringContaining('--head')]);
  });

  test('any pack that is removed is named', () => {
    const archives = chainOf(4);
    for (const [at, number] of [1, 2, 3].entries())
      expect(texts(archives.filter((_, index) => index !== at))).toContain(
        `pack ${number} of acme is missing`,
      );
    // The last one leaves no gap: what was noted of it does.
    const { digest } = openPack(archives[3]!, TRUSTED);
    expect(texts(archives.slice(0, 3))).toEqual([]);
    expect(texts(archives.slice(0, 3), { head: digest })).toEqual([expect.stringContaining('was noted')]);
    expect(texts(archives, { head: digest })).toEqual([]);
  });

  test('packs that were reordered, doubled, renamed or made again are named', () => {
    const [first, second, third] = chainOf(3) as [Buffer, Buffer, Buffer];
    expect(texts([first, third, second])).toEqual(['pack 2 of acme stands behind pack 3: reordered']);
    expect(texts([first, second, second])).toEqual(['pack 2 of acme is given twice']);
    expect(texts([first, second], {}, ['acme-000002.tar', 'acme-000001.tar'])).toEqual([
      'it is pack 1 of acme, under the name of pack 2',
      'it is pack 2 of acme, under the name of pack 1',
    ]);
    const other = pack(2, 'f'.repeat(64)).archive;
    expect(texts([first, other, third]).join('; ')).toMatch(
      /2 of acme does not follow pack 1.*3 of acme does not/,
    );
    expect(texts([first, second, other, third]).join('; ')).toContain('two different packs 2');
  });

  test('of which only the end was given says so, and fails unless that is meant', () => {
    const [, second, third] = chainOf(3) as [Buffer, Buffer, Buffer];
    expect(texts([second, third])).toEqual(['pack 1 of acme is missing']);
    expect(texts([second, third], { first: 2 })).toEqual([]);
    const alone = verifyChain(given([third]));
    expect(isWhole(alone)).toBe(true);
    expect(alone.notChecked.join()).toContain('before pack 3');
  });
});

describe('the control map', () => {
  const answers = (has: readonly string[], record = runRecord()) =>
    answerControls({ record, has: (name) => has.includes(name) });

  test('covers the four sources, and says of each requirement what is there and what is missing', () => {
    for (const source of [/FFIEC/, /DORA/, /SOC 2/, /ISO 22301/])
      expect(CONTROLS.some((control) => source.test(control.source))).toBe(true);
    for (const { present, missing } of answers([]))
      expect(present.length + missing.length).toBeGreaterThan(0);
  });

  test('what is in the pack counts, what is not does not', () => {
    const backups = (all: ReturnType<typeof answers>) => all.find(({ clause }) => /integrity/.test(clause))!;
    const set = { set: 's1', site: 'primary', createdAt: '', verified: true, bytes: 1, versions: {} };
    const proofs = [
      { step: 'prove-redis', name: 'keys', verdict: 'pass', expected: '1', actual: '1' } as const,
    ];
    expect(backups(answers([])).state).toBe('absent');
    const record = runRecord({ set, proofs });
    expect(backups(answers([], record))).toMatchObject({
      state: 'partly',
      missing: [{ why: 'the manifest of the set is not in the repository any more' }],
    });
    expect(backups(answers(['sets/s1/manifest.json', 'sets/s1/verified.json'], record)).state).toBe(
      'present',
    );
  });

  test('what was not measured never counts', () => {
    const criteria: Criterion[] = [
      {
        ...{ id: 'security', limit: 'no default secrets', limits: { checks: ['no default secrets'] } },
        ...{ verdict: 'not-measured', found: 'no default secrets: the file cannot be read' },
      },
    ];
    const asked = answers([], runRecord({ criteria })).filter(({ clause }) => clause.startsWith('8.6'));
    expect(asked).toHaveLength(1);
    const why = asked[0]!.missing.map((each) => each.why).join();
    expect(why).toContain('security controls were not measured: no default secrets: the file cannot be read');
    expect(why).not.toContain('criteria stamped');
  });
});
