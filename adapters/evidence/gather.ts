import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Deployment } from '../../domain/config.ts';
import { DrError } from '../../domain/errors.ts';
import type { RenderEvidence } from '../../domain/evidence.ts';
import type { RunRecord } from '../../domain/run.ts';
import { findSecrets, scrubber, type KnownSecret } from '../../domain/scrub.ts';
import { setFolder } from '../backup/repository.ts';
import { unlessMissing } from '../backup/signed.ts';
import { readPlan, scriptLogFile } from '../backup/runs.ts';
import { canonical, configDigest, planDigest } from '../config/digest.ts';
import type { RunHistory } from '../temporal/history.ts';
import { approvalMembers } from './approvals-member.ts';
import { configMember } from './config-member.ts';
import type { Member } from './tar.ts';

/** Everything that is known of a run, without any secret, as the members of a pack. */

export interface Sources {
  readonly record: RunRecord;
  readonly deployment: Deployment;
  /** Undefined where Temporal does not have it; then `why` says so. */
  readonly history: RunHistory;
  /** Journals and the like, by member. */
  readonly more: Readonly<Record<string, string>>;
  readonly secrets: readonly KnownSecret[];
  readonly render: RenderEvidence;
}

const HIDDEN = '[redacted]';

/** @throws DrError EVIDENCE_HOLDS_SECRET where a signed file, which cannot be altered, holds one */
export async function gather(sources: Sources): Promise<{ members: Member[]; absent: string[] }> {
  const { record, deployment, history, render, more } = sources;
  const hide = hider(sources.secrets);
  const texts: Record<string, string> = {};
  const absent: string[] = [];
  const clean = JSON.parse(hide(JSON.stringify(record))) as RunRecord;
  texts['record.json'] = `${JSON.stringify(clean, undefined, 2)}\n`;
  Object.assign(texts, render.report(clean));
  if (history.json === undefined) absent.push(`history.json: ${history.why}`);
  else texts['history.json'] = hide(history.json);
  await addPlan(sources, texts, absent);
  if (configDigest(deployment) === record.configDigest) texts['config.json'] = configMember(deployment, hide);
  else
    absent.push(
      `config.json: the configuration has changed since the run (${configDigest(deployment).slice(0, 12)}, then ${record.configDigest.slice(0, 12)})`,
    );
  Object.assign(texts, approvalMembers(clean, record, absent));
  const script = await scriptLog(deployment, record);
  if (script !== undefined)
    texts['logs/script.jsonl'] = script.split('\n').map(hide).join('\n').trimEnd() + '\n';
  for (const [name, text] of Object.entries(more)) texts[name] = hide(text);
  const sets = await setMembers(deployment, record, absent);
  const named = [...Object.keys(texts), ...sets.map(({ name }) => name)];
  const has = (name: string): boolean => named.includes(name);
  Object.assign(texts, render.contents({ record: clean, has, members: named.sort(), absent }));
  const members = [
    ...Object.entries(texts).map(([name, text]) => ({ name, data: Buffer.from(text) })),
    ...sets,
  ];
  requireNoSecret(members, sources.secrets);
  return { members, absent };
}

/** Known secrets, and what is secret by its field or form; documents keep their shape. */
function hider(known: readonly KnownSecret[]): (text: string) => string {
  return (text) => scrubber([...known, ...findSecrets(text)], () => HIDDEN)(text);
}

/** Its text is the one whose SHA-256 the record names. */
async function addPlan(
  { record, deployment, history }: Sources,
  texts: Record<string, string>,
  absent: string[],
): Promise<void> {
  const plan = (await readPlan(deployment.backup, record.deployment, record.run)) ?? history.plan;
  if (!plan) absent.push('plan.json: it was not kept, and Temporal does not have the run any more');
  else if (planDigest(plan) !== record.planDigest)
    absent.push('plan.json: what was kept is not the plan that the record names');
  else texts['plan.json'] = canonical(plan);
}

/** Of a recovery by the exported script: its own log. */
async function scriptLog(
  { backup }: Deployment,
  { deployment, run }: RunRecord,
): Promise<string | undefined> {
  const file = scriptLogFile(backup, deployment, run);
  return unlessMissing(file, readFile(file, 'utf8'));
}

const SET_FILES = ['manifest.json', 'manifest.json.sig', 'verified.json', 'verified.json.sig'];

/** As they are: a changed byte would break their signatures. */
async function setMembers(
  { backup }: Deployment,
  { deployment, set }: RunRecord,
  absent: string[],
): Promise<Member[]> {
  if (!set) {
    absent.push('sets/: the run used no backup set');
    return [];
  }
  const members: Member[] = [];
  for (const id of [set.set, ...(set.snapshots ?? []).map(({ snapshot }) => snapshot)])
    for (const name of SET_FILES) {
      const file = join(setFolder(backup, deployment, id), name);
      const data = await unlessMissing(file, readFile(file));
      if (data) members.push({ name: `sets/${id}/${name}`, data });
      else absent.push(`sets/${id}/${name}: it is not in the repository`);
    }
  return members;
}

/** Shorter ones, and words of a language, stand in honest texts as well. */
const isTelling = (value: string): boolean =>
  value.length >= 8 && (value.length >= 24 || !/^[A-Za-z]+$/.test(value));

/** The last look before anything is signed. */
function requireNoSecret(members: readonly Member[], secrets: readonly KnownSecret[]): void {
  for (const { name, data } of members) {
    for (const secret of secrets.filter(({ value }) => isTelling(value)))
      if (data.includes(secret.value) || data.includes(Buffer.from(secret.value).toString('base64')))
        throw new DrError('EVIDENCE_HOLDS_SECRET', { member: name, secret: secret.name });
  }
}
