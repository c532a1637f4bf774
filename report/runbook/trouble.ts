/** What a script says and what its reader can do, for the page. The hints in the script itself are shorter. */
export const SCRIPT_TROUBLE: readonly (readonly [string, string])[] = [
  [
    'no set … is signed by a trusted key',
    'The repository is another, or somebody has changed it. Fetch an off-site copy and name it with --repository. Never work around the signature: whoever can write the repository could put anything into your site.',
  ],
  [
    'the object … is damaged, or does not open',
    'Choose the set before it (--set), or the same set from an off-site copy. Where no identity fits: --identity with the key from the safe.',
  ],
  [
    'the site may be serving; port … is taken',
    'Look before you stop anything: this may be the wrong host. To rebuild a site on purpose: --in-place.',
  ],
  [
    'epoch … is no longer in command',
    'Somebody began a newer recovery, by tyk-dr or by a script. Find out who; do not remove the file.',
  ],
  [
    '… still listens',
    'The fence does not hold. Cut the site off (power, network, security group), then say --yes-fenced with the reason.',
  ],
  [
    'WAL segment … is missing or damaged; replay stopped at …',
    'Everything up to the set itself is still there: --new --to-set recovers exactly to it, and loses what came later. An off-site copy may have the segment.',
  ],
  [
    'it is another database: it is not replaced',
    'The data folder on the target belongs to something else. Move it away yourself if it is not needed.',
  ],
  [
    'the scratch server does not start, or ended',
    'Its log lies beside the data folder. Often memory or disk. The same command goes on.',
  ],
  [
    'does not report redis and dashboard as pass',
    'Look at the Gateway’s log: mostly a wrong password, or a Dashboard that is not reached from its host.',
  ],
  [
    'a recovery by this script is already running',
    'Another shell, or what a killed one has left: it ends within seconds by itself.',
  ],
];
