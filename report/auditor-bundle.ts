import type { ControlAnswer } from '../domain/control-map.ts';
import type { Finding } from '../domain/findings.ts';
import { occurrenceText, stateText } from './findings.ts';

/** The texts of an auditor's bundle: packs, keys, register and map, and how to verify without us. Pure. */

export interface BundleFacts {
  readonly deployment: string;
  readonly madeAt: string;
  readonly keys: readonly string[];
  /** Oldest first. */
  readonly packs: readonly BundledPack[];
  readonly findings: readonly Finding[];
}

export interface BundledPack {
  readonly file: string;
  readonly sequence: number;
  readonly run: string;
  readonly digest: string;
  readonly controls: readonly ControlAnswer[];
  /** Why the pack does not tell. */
  readonly unreadable?: string;
}

export function bundleTexts(facts: BundleFacts): Record<string, string> {
  return {
    'README.md': readme(facts),
    'verify.sh': VERIFY,
    'public-keys.txt': `${facts.keys.join('\n')}\n`,
    'findings.json': `${JSON.stringify({ version: 1, findings: facts.findings }, undefined, 2)}\n`,
    'findings.md': findingsText(facts),
    'controls.md': controlsText(facts),
  };
}

function readme({ deployment, madeAt, packs, keys }: BundleFacts): string {
  return [
    `# Auditor's bundle of ${deployment}`,
    '',
    `Made ${madeAt} by tyk-dr, for reading only. ${packs.length} evidence packs, each of one run; docs/evidence.md of tyk-dr says what is in a pack.`,
    '',
    '| file | what | signed |',
    '| --- | --- | --- |',
    '| packs/ | every evidence pack that the repository keeps, oldest first | yes, each, and chained to the one before |',
    '| public-keys.txt | the keys whose signatures count | compare them with those that you were given on another way |',
    '| verify.sh | verifies all packs with openssl, sha256sum and tar | no: read it, it is short |',
    '| findings.json, findings.md | the register of findings, as of now | no; each pack holds its own, signed |',
    '| controls.md | which requirement is answered by which pack | no; each pack holds its own, signed |',
    '',
    '## Verifying',
    '',
    '```',
    `KEY=${keys[0] ?? 'ed25519:...'} sh verify.sh`,
    '```',
    '',
    'Exit 0 where every pack is what was signed and follows the one before it; else each problem is a line. Where packs were signed by several keys, give them all, separated by blanks. The last line is the digest of the newest pack: compare it with the one that was noted at its export, for a chain cannot show by itself that its newest packs were removed.',
    '',
    '| pack | run | digest |',
    '| --- | --- | --- |',
    ...packs.map(({ sequence, run, digest }) => cells([String(sequence), run, digest])),
    '',
  ].join('\n');
}

function findingsText({ deployment, findings }: BundleFacts): string {
  return [
    `# Findings of ${deployment}: ${findings.length}`,
    '',
    '| finding | severity | what | state | seen |',
    '| --- | --- | --- | --- | --- |',
    ...findings.map((each) =>
      cells([each.id, each.severity, `${each.check}: ${each.text}`, stateText(each), occurrenceText(each)]),
    ),
    '',
  ].join('\n');
}

/** A requirement is answered where any run has answered it; what the newest lacks is said. */
function controlsText({ deployment, packs }: BundleFacts): string {
  const readable = packs.filter(({ controls }) => controls.length > 0);
  const all = readable.at(-1)?.controls ?? [];
  const answering = (control: ControlAnswer, state: ControlAnswer['state']): string =>
    readable
      .filter(({ controls }) =>
        controls.some(
          (each) => each.source === control.source && each.clause === control.clause && each.state === state,
        ),
      )
      .map(({ sequence }) => String(sequence))
      .join(', ');
  return [
    `# Control map of ${deployment}, over all packs`,
    '',
    'Requirements in our words. Whether an answer is enough is for the auditor to say.',
    '',
    '| requirement | asks that | answered by packs | in part by | missing in the newest | elsewhere |',
    '| --- | --- | --- | --- | --- | --- |',
    ...all.map((control) =>
      cells([
        `${control.source}, ${control.clause}`,
        control.asks,
        answering(control, 'present') || 'none',
        answering(control, 'partly') || 'none',
        control.missing.map(({ what, why }) => `${what}: ${why}`).join('; '),
        control.elsewhere ?? '',
      ]),
    ),
    '',
    ...packs.flatMap(({ sequence, unreadable }) =>
      unreadable === undefined ? [] : [`Pack ${sequence} does not tell: ${unreadable}.`],
    ),
    '',
  ].join('\n');
}

const cells = (values: readonly string[]): string =>
  `| ${values.map((cell) => cell.replaceAll('|', '\\|').replaceAll(/\s+/g, ' ')).join(' | ')} |`;

/** The way of docs/evidence.md, for all packs of the bundle, in a folder of its own. */
const VERIFY = String.raw`#!/bin/sh
# Verifies every pack of this bundle with openssl 3, sha256sum and tar alone.
# KEY: the public keys that you were given on another way, ed25519:BASE64, separated by blanks.
set -u
[ -n "${'$'}{KEY:-}" ] || { echo 'usage: KEY=ed25519:BASE64 sh verify.sh' >&2; exit 2; }
bundle=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 2

keys=0
for key in $KEY; do
  keys=$((keys + 1))
  # The public key as openssl reads it: twelve fixed bytes, then the 32 of the key.
  { printf '\060\052\060\005\006\003\053\145\160\003\041\000'
    printf %s "${'$'}{key#ed25519:}" | base64 -d
  } | openssl pkey -pubin -inform DER -out "key-$keys.pem" || exit 2
done

status=0 before=none number=0
fail() { echo "PROBLEM  $pack: $1"; status=1; }
for file in "$bundle"/packs/*.tar; do
  pack=$(basename "$file")
  rm -rf opened && mkdir opened && tar -xf "$file" -C opened || { fail 'tar cannot read it'; continue; }
  signed=no
  for key in key-*.pem; do
    openssl pkeyutl -verify -pubin -inkey "$key" -rawin -in opened/INDEX -sigfile opened/INDEX.sig > openssl.txt 2>&1 && signed=yes
  done
  [ "$signed" = yes ] || fail 'INDEX was not signed by any of these keys'
  (cd opened && sha256sum --check --strict --quiet INDEX) > sums.txt 2>&1 || fail "$(cat sums.txt)"
  { echo INDEX; echo INDEX.sig; sed -n 's/^[0-9a-f]\{64\}  //p' opened/INDEX; } | LC_ALL=C sort > listed.txt
  tar -tf "$file" | LC_ALL=C sort > there.txt
  cmp -s listed.txt there.txt || fail 'it holds other files than INDEX names'
  number=$((number + 1))
  grep -qx "# sequence: $number" opened/INDEX || fail "it is not pack $number"
  grep -qx "# previous: $before" opened/INDEX || fail 'it does not follow the pack before it'
  before=$(sha256sum < opened/INDEX | cut -d ' ' -f 1)
done
echo "$number packs; newest digest: $before"
exit $status
`;
