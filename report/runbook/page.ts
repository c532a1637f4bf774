import type { Deployment, Site, TrafficConfig } from '../../domain/config.ts';
import { addressesOf } from '../../domain/addresses.ts';
import { formatDuration } from '../../domain/duration.ts';
import { leftOutText } from '../../domain/left-out.ts';
import { serviceCommands } from '../../domain/service-commands.ts';
import type { Step } from '../../domain/step.ts';
import { ownOf } from '../../domain/traffic.ts';
import { RECOVER_STEPS } from '../../runbooks/recover.ts';
import { escape, row, table } from '../html-parts.ts';
import { STYLE } from '../html-style.ts';
import { contactRows } from '../people.ts';
import { byHandSection } from './by-hand.ts';
import { byHand, everySecret, treesOf } from './facts.ts';
import type { SitePlan } from './script.ts';
import { standbySection } from './standby.ts';
import { SCRIPT_TROUBLE } from './trouble.ts';
import { words } from './words.ts';

/** The runbook as one page to print and keep: what to type, what happens, where everything is. No request to anywhere. Pure. */

export interface PageInput {
  readonly name: string;
  readonly deployment: Deployment;
  readonly version: string;
  readonly writtenAt: string;
  readonly configDigest: string;
  /** The commands for sites without a script. */
  readonly byHandCommands: string;
  readonly plans: Readonly<Record<string, readonly SitePlan[]>>;
}

export function runbookPage(input: PageInput): string {
  const { name, deployment } = input;
  const sites = Object.entries(deployment.sites);
  const sections = [
    heading(input),
    standbySection(name, deployment),
    ...sites.map(([site]) => toType(input, site)),
    people(deployment),
    before(input),
    sets(input),
    ...sites.flatMap(([site, own]) => [plan(input, site), commandsOf(site, own)]),
    trouble(),
    undo(),
  ];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(`runbook: recover ${name} without Temporal`)}</title>
<style>${STYLE}pre { background: #f4f5f7; border: 1px solid var(--line); padding: 8px 10px; white-space: pre-wrap; overflow-wrap: anywhere; font-size: 12px; }</style>
</head>
<body>
<main>
${sections.filter(Boolean).join('\n')}
<footer>Written by tyk-dr ${escape(input.version)} at ${escape(input.writtenAt)}, configuration ${escape(input.configDigest)}. Times are UTC. It holds no secret: where each lies is named.</footer>
</main>
</body>
</html>
`;
}

function heading({ name, deployment, writtenAt }: PageInput): string {
  return `<header>
<h1>RECOVER ${escape(name.toUpperCase())} WITHOUT TEMPORAL</h1>
<p>For the night on which Temporal and the workers of tyk-dr are gone as well. Where they answer, <code>tyk-dr recover</code> does the same and more.</p>
<p>Tier ${escape(deployment.tier)}. As of ${escape(writtenAt)}: what was configured later is not in it.</p>
</header>`;
}

function toType({ name, deployment, byHandCommands }: PageInput, site: string): string {
  const reasons = byHand(deployment, site);
  const others = Object.keys(deployment.sites).filter((other) => other !== site);
  if (reasons.length > 0) return byHandSection({ name, deployment, commands: byHandCommands }, site);
  const script = `recover-${site}.sh`;
  return `<section><h2>Recover on ${escape(site)}</h2>
<p>On the host of ${escape(site)}, as root or as the user of its services:</p>
${pre([
  `bash ${script} --check                                  # looks only, changes nothing`,
  `bash ${script} --reason 'why'                           # asks before it fences ${others.join(', ')}`,
  `bash ${script} --reason 'why' --in-place                # rebuild ${site} itself`,
  `bash ${script} --reason 'why' --to-set --before 2026-11-24T03:15:00Z   # data were damaged at that time`,
])}
<p>Interrupted, by whatever? The same command again goes on where it stopped. <code>--help</code> has the rest.</p></section>`;
}

function people(deployment: Deployment): string {
  const rows = contactRows(deployment);
  return `<section><h2>Whom to call</h2>${
    rows.length === 0
      ? '<p>Nobody is declared: <code>contacts</code> and <code>vendorSupport</code> of tyk-dr.yaml are empty.</p>'
      : table(
          ['', 'who', 'role, or where', 'mail, or reference', 'phone'],
          rows.map((cells) => row(cells)),
        )
  }</section>`;
}

function before({ name }: PageInput): string {
  return `<section><h2>Before you type</h2><ol>
<li>Is the other site really gone? Two sites that both write are worse than none. On its hosts: <code>bash recover-SITE.sh --fence</code>.</li>
<li>Are these files the ones that were written? In their folder: <code>sha256sum --check SHA256SUMS</code>. Who signed <code>runbook.json</code>, which holds the same sums, is found as for a set: <code>docs/restore-by-hand.md</code>, section 2.</li>
<li>The host needs <code>apt install age zstd openssl jq curl tar util-linux redis-tools pgbackrest postgresql-client</code> and the servers themselves. <code>--check</code> names what is missing.</li>
<li>The secrets named below must be where they are named, or be given with <code>--secret REFERENCE=/path</code>. The age key from the safe opens every set: <code>--identity FILE</code>.</li>
<li>When Temporal is back: <code>tyk-dr import-run</code> takes the log of the run into the history of ${escape(name)}. Until then nothing of tyk-dr may recover ${escape(name)}: the epoch on the target refuses older runs.</li>
</ol></section>`;
}

function sets({ name, deployment }: PageInput): string {
  const { backup } = deployment;
  const rows = [
    row(['backup sets', `${backup.repository}/${name}`]),
    ...(backup.pgbackrest ? [row(['pgBackRest repositories', backup.pgbackrest.repository])] : []),
    ...backup.copies.map(({ name: copy, remote, rcloneConfig }) =>
      row([
        `off-site copy ${copy}`,
        typeof remote === 'string'
          ? `--fetch ${copy}; by hand: rclone copy ${remote}/${name} REPOSITORY/${name}${rcloneConfig === undefined ? '' : ` --config ${rcloneConfig}`}, then --repository REPOSITORY --pgbackrest REPOSITORY/${name}/pgbackrest`
          : `--fetch ${copy} (${remote.type}, ${remote.path})`,
      ]),
    ),
    row(['opened by', [backup.identity, ...backup.otherIdentities].join(', ')]),
    row(['sealed for', backup.recipients.join(', ')]),
    row(['signatures that count', backup.trustedKeys.join(', ')]),
  ];
  const secrets = [
    ...new Set(Object.values(deployment.sites).flatMap((site) => everySecret(deployment, site))),
  ];
  return `<section><h2>Where the backups and the keys are</h2>${table(['', ''], rows)}
<h2>Secrets that a run reads, by where they lie</h2><p>${secrets.map((each) => `<code>${escape(each)}</code>`).join(', ')}</p></section>`;
}

function plan({ plans, deployment }: PageInput, site: string): string {
  const all = plans[site] ?? [];
  const shown = all.find(({ from }) => from !== site) ?? all[0];
  if (!shown) return '';
  const { rtoMs, rpoMs } = shown.plan.objectives;
  const rows = (RECOVER_STEPS as readonly Step[]).map((step) => {
    const why = shown.plan.leftOut[step.id];
    return row([
      step.phase,
      step.id,
      why === undefined
        ? step.purpose
        : `(${leftOutText({ scenario: 'infrastructure' }, { notPartOf: why })}) ${step.purpose}`,
      step.proof,
      step.undo === undefined ? '' : 'the old data lie beside, see the end',
    ]);
  });
  const digests = all.map(({ from, digest }) => `${from === site ? 'in place' : `from ${from}`} ${digest}`);
  return `<section><h2>The plan on ${escape(site)}, in this order</h2>
<p>RTO ${formatDuration(rtoMs)}, RPO ${formatDuration(rpoMs)}. Plan ${escape(digests.join('; '))}.</p>
${table(['phase', 'step', 'what for', 'what proves it', 'undo'], rows)}
${
  deployment.traffic
    ? trafficByHand(deployment.traffic)
    : '<p>No load balancer is configured: point the clients at the target yourself, after every proof.</p>'
}</section>`;
}

function trafficByHand(traffic: TrafficConfig): string {
  const sites = Object.keys(
    'servers' in traffic ? traffic.servers : 'records' in traffic ? traffic.records : {},
  );
  const each = sites.map((site) => `${site}: ${ownOf(traffic, site).join(', ')}`).join('; ');
  const code = (text: string): string => `<code>${escape(text)}</code>`;
  switch (traffic.kind) {
    case 'haproxy':
      return `<p>Traffic by hand: ${code(`echo 'set server ${traffic.backend}/SERVER state ready' | socat - UNIX-CONNECT:${traffic.socket}`)}, then <code>maint</code> for every server of another site (${escape(each)}).</p>`;
    case 'dns':
      return `<p>Traffic by hand: with ${code(`nsupdate -k FILE-OF-KEY-${traffic.key.name}`)}: ${code(`server ${traffic.server} ${traffic.port}`)}, ${code(`zone ${traffic.zone}`)}, ${code(`update delete ${traffic.name} ${traffic.type}`)}, ${code(`update add ${traffic.name} ${traffic.ttl / 1000} ${traffic.type} RECORD`)}, ${code('send')} (${escape(each)}).</p>`;
    case 'command':
      return `<p>Traffic by hand: ${code(traffic.switch.join(' '))} with TYK_DR_SITE, TYK_DR_PERCENT=100 and TYK_DR_RUN in its environment; ${code(traffic.status.join(' '))} tells what came of it.</p>`;
  }
}

function commandsOf(name: string, site: Site): string {
  const services = [
    ...(site.redis?.service ? [['redis', site.redis.service] as const] : []),
    ...(site.database?.service ? [['database', site.database.service] as const] : []),
    ...(site.dashboard ? [['dashboard', site.dashboard.service] as const] : []),
    ...site.gateways.map((gateway) => [`gateway ${gateway.name}`, gateway.service] as const),
    ...(site.pump ? [['pump', site.pump.service] as const] : []),
  ];
  const lines = services.flatMap(([service, how]) =>
    Object.entries(serviceCommands(how)).map(
      ([action, argv]) => `${`${service} ${action}`.padEnd(20)} ${words(argv as readonly string[])}`,
    ),
  );
  const places = [
    ...(site.redis?.dataDir === undefined ? [] : [row(['data of Redis', site.redis.dataDir])]),
    ...(site.database && 'dataDir' in site.database && site.database.dataDir !== undefined
      ? [row(['data of the database', site.database.dataDir])]
      : []),
    ...treesOf(site).map((tree) => row([tree.name, `${tree.root}: ${tree.entries.join(', ')}`])),
    row(['fence, epoch and logs', site.stateDir]),
    ...addressesOf(site).map(({ name: what, host, port }) => row([what, `${host}:${port}`])),
  ];
  return `<section><h2>The commands of ${escape(name)}</h2>${pre(lines)}${table(['what', 'where'], places)}</section>`;
}

function trouble(): string {
  return `<section><h2>What can go wrong</h2>${table(
    ['what it says', 'what to do'],
    SCRIPT_TROUBLE.map(([said, help]) => row([said, help])),
  )}</section>`;
}

function undo(): string {
  return `<section><h2>To put the old data back</h2>
<p>Until <code>discard-old-data</code> has run, what was replaced lies beside. Stop the service, then:</p>
${pre([
  'mv -T DATA DATA.not-wanted && mv -T DATA.tyk-dr-old-RUN DATA          # Redis, PostgreSQL',
  'mv -T PGBACKREST_CONF.tyk-dr-old-RUN PGBACKREST_CONF                   # PostgreSQL: archives to its old repository again',
  'cp -a ROOT/.tyk-dr-old-RUN/entries/. ROOT/                              # Dashboard, Gateways, Pump',
])}
<p>RUN is the id that the script prints, DATA and ROOT are in the tables above.</p></section>`;
}

function pre(lines: readonly string[]): string {
  return `<pre>${escape(lines.join('\n'))}</pre>`;
}
