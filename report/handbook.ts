import { addressesOf } from '../domain/addresses.ts';
import { achievedRtoMs } from '../domain/clock.ts';
import type { Deployment } from '../domain/config.ts';
import { formatDays, formatDuration } from '../domain/duration.ts';
import { replicates } from '../domain/strategy.ts';
import type { Step } from '../domain/step.ts';
import type { StandbySeen } from '../domain/watched.ts';
import type { DeploymentShape } from '../runbooks/shape.ts';
import { slosText } from '../domain/service-level.ts';
import { endOf } from '../domain/findings.ts';
import { rpoRange } from '../domain/loss.ts';
import { OUTCOME_CLASS, type RunRecord } from '../domain/run.ts';
import { RECOVER_STEPS } from '../runbooks/recover.ts';
import type { Document, Section } from './document.ts';
import { architectureSvg } from './handbook-diagram.ts';
import type { ConfigFiles } from '../domain/tyk-defaults.ts';
import { settingsSection } from './handbook-settings.ts';
import { STEP_HEAD, stepRow, standbySections } from './handbook-standby.ts';
import { contactRows } from './people.ts';

/** The handbook of a deployment: what it is made of, how it is recovered, by whom, and how that has gone so far. Pure. */

export interface HandbookFacts {
  readonly name: string;
  readonly deployment: Deployment;
  readonly shape: DeploymentShape;
  /** What was seen of its standby last, where its strategy replicates. */
  readonly standby?: StandbySeen;
  readonly configDigest: string;
  readonly version: string;
  readonly records: readonly RunRecord[];
  /** The newest that is kept. */
  readonly settings?: ConfigFiles;
  readonly now: string;
}

export function handbookDocument(facts: HandbookFacts): Document {
  const { name, deployment, configDigest, version, now } = facts;
  const { objectives } = facts.shape;
  return {
    title: `Disaster recovery handbook of ${name}`,
    lead: [
      `Tier ${deployment.tier}: back within ${formatDuration(objectives.rtoMs)} (RTO), at most ${formatDuration(objectives.rpoMs)} of data lost (RPO).`,
      `As of ${now}. What was configured later is not in it. It holds no secret.`,
    ],
    sections: [
      architecture(facts),
      objectivesOf(facts),
      begin(facts),
      ...standbySections(facts),
      ...procedures(),
      history(facts),
      rolesOf(facts),
      people(facts),
      backups(deployment, name),
      settingsSection(deployment, facts.settings),
    ],
    foot: `Made by tyk-dr ${version} from configuration ${configDigest.slice(0, 16)} and the records of runs. Times are UTC.`,
  };
}

function architecture({ name, deployment }: HandbookFacts): Section {
  const rows = Object.entries(deployment.sites).flatMap(([site, own]) =>
    addressesOf(own).map(({ name: what, host, port }) => [site, what, `${host}:${port}`, own.worker]),
  );
  return {
    title: 'Architecture',
    svg: architectureSvg(name, deployment),
    text: [
      'Drawn from the configuration: sites, their components and workers, traffic, backups and their copies.',
    ],
    table: { head: ['site', 'component', 'address', 'worker of the site'], rows },
  };
}

function objectivesOf({ deployment, shape: { objectives } }: HandbookFacts): Section {
  const { slos } = deployment;
  return {
    title: 'Objectives',
    table: {
      head: ['what', 'objective'],
      rows: [
        ['RTO', formatDuration(objectives.rtoMs)],
        ['RPO', formatDuration(objectives.rpoMs)],
        ['SLOs, after a recovery and in drills', slosText(slos) || 'not stated'],
      ],
    },
  };
}

function begin({ name, deployment }: HandbookFacts): Section {
  const sites = Object.keys(deployment.sites);
  return {
    title: 'To begin a recovery',
    text: replicates(deployment.strategy)
      ? [
          'Its stores are followed by a standby: fail over to that, as below. From the backup only where the standby is no better: data were damaged, or it is too far behind.',
        ]
      : [],
    list: [
      ...sites.map((site) => `On site ${site}: tyk-dr recover ${name} --to ${site} --reason 'why'`),
      `What it would do, without doing it: tyk-dr plan ${name} --to ${sites.at(-1)}`,
      `Where it is, and what it waits for: tyk-dr status ${name} --watch`,
      `One component, in place: --component redis, database, dashboard or gateway`,
      `Data were damaged at a known time: --scenario corruption --occurred TIME`,
      `Without Temporal: the page and the scripts in ${deployment.backup.repository}/${name}/runbook/`,
    ],
  };
}

/** As the runbook has them: the same table that the workflow runs. */
function procedures(): Section[] {
  const phases = [...new Set(RECOVER_STEPS.map(({ phase }) => phase))];
  return phases.map((phase) => ({
    title: `Procedure: ${phase}`,
    table: {
      head: STEP_HEAD,
      rows: (RECOVER_STEPS as readonly Step[]).filter((step) => step.phase === phase).map(stepRow),
    },
  }));
}

function history({ records }: HandbookFacts): Section {
  // What makes a standby brings nothing back.
  const meant = records.filter(
    ({ outcome, runbook }) => outcome !== undefined && outcome !== 'REFUSED' && runbook !== 'replicate',
  );
  const good = meant.filter(({ outcome }) => ['recovered', 'exceptions'].includes(OUTCOME_CLASS[outcome!]));
  const kinds = new Map<string, RunRecord[]>();
  for (const record of meant) {
    const kind = kindOf(record);
    kinds.set(kind, [...(kinds.get(kind) ?? []), record]);
  }
  return {
    title: 'Measured so far',
    text: [
      meant.length === 0
        ? 'No recovery has been run: nothing is measured.'
        : `${good.length} of ${meant.length} ${meant.some(({ runbook }) => runbook === 'failover') ? 'recoveries and failovers' : 'recoveries'} brought the service back. Loss of data: ${lossText(meant)}.`,
    ],
    table: {
      head: ['what', 'runs', 'back', 'median', 'longest', 'last'],
      rows: [...kinds].map(([kind, all]) => {
        const times = all.flatMap(({ clock }) => achievedRtoMs(clock) ?? []).sort((a, b) => a - b);
        const shown = (at: number): string =>
          times[at] === undefined ? 'not reached' : formatDuration(times[at]);
        const back = all.filter((record) => good.includes(record)).length;
        return [
          ...[
            kind,
            String(all.length),
            String(back),
            shown(Math.floor(times.length / 2)),
            shown(times.length - 1),
          ],
          endOf(all.at(-1)!),
        ];
      }),
    },
  };
}

function kindOf({ runbook, mode, component, from, to }: RunRecord): string {
  const what = runbook === 'failover' ? `failover, ${mode}` : (component ?? 'everything');
  return `${what}, ${from === to ? 'in place' : `${from} to ${to}`}`;
}

function lossText(records: readonly RunRecord[]): string {
  const most = records.flatMap(({ losses }) => rpoRange(losses)?.maxMs ?? []).sort((a, b) => a - b);
  if (most.length === 0) return 'not measured';
  return `at most ${formatDuration(most.at(-1)!)}, measured in ${most.length} of them`;
}

function rolesOf({ deployment: { roles } }: HandbookFacts): Section {
  const rows = Object.entries(roles).map(([role, { duty = '', people: own, deputies, ...rest }]) => [
    ...[role, duty, own.join(', '), deputies.join(', ')],
    `${formatDays(rest.trainEvery)}, at least ${rest.practised} people`,
  ]);
  return {
    title: 'Roles',
    text:
      rows.length === 0 ? ['No role is declared (roles: in the configuration): who decides at night?'] : [],
    table: { head: ['role', 'duty', 'people', 'deputies', 'practises every'], rows },
  };
}

function people({ deployment }: HandbookFacts): Section {
  const { approvers = [], approvals = [] } = deployment;
  return {
    title: 'Contacts, approvals, support of vendors',
    text: [
      ...(contactRows(deployment).length === 0 ? ['No contact is declared.'] : []),
      approvals.length === 0
        ? 'No step waits for an approval.'
        : `Approvals: ${approvals.map(({ step, count, roles }) => `${step} needs ${count}${roles.length > 0 ? ` of ${roles.join(' or ')}` : ''}`).join('; ')}.`,
      ...(approvers.length > 0
        ? [
            `Approvers: ${approvers.map(({ name, roles }) => `${name}${roles.length > 0 ? ` (${roles.join(', ')})` : ''}`).join(', ')}.`,
          ]
        : []),
    ],
    table: {
      head: ['level', 'name', 'role, or where', 'mail, or reference', 'telephone'],
      rows: contactRows(deployment),
    },
  };
}

function backups({ backup }: Deployment, name: string): Section {
  return {
    title: 'Backups and keys',
    table: {
      head: ['what', 'where'],
      rows: [
        ['backup sets', `${backup.repository}/${name}`],
        ...backup.copies.map((copy) => [
          `off-site copy ${copy.name}`,
          typeof copy.remote === 'string' ? copy.remote : `${copy.remote.type}, ${copy.remote.path}`,
        ]),
        ['opened by', backup.identity.startsWith('command:') ? 'a command' : backup.identity],
        ['sealed for', backup.recipients.join(', ')],
        ['signatures that count', backup.trustedKeys.join(', ')],
      ],
    },
  };
}
