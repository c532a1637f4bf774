import { join } from 'node:path';
import { resolveRef, withCommit, withCopy, type GitConfig } from '../adapters/git/repository.ts';
import { knownSecrets } from '../adapters/versioned/references.ts';
import { readVersionedTree, rebuildTree, type VersionedTree } from '../adapters/versioned/restore-tree.ts';
import { filesOfSet } from '../adapters/versioned/set-files.ts';
import { DrError } from '../domain/errors.ts';
import type { VersionedFile } from '../domain/versioned.ts';
import { insertSecrets, type Resolve } from '../domain/scrub.ts';
import type { Proof } from '../domain/run.ts';
import type { Call, Deps } from './guard.ts';
import { manifestOf, storeOf } from './open-set.ts';
import { proof } from './proofs.ts';
import { counterpart, gatewaysOn, serves } from './site.ts';
import { asActivity } from './to-failure.ts';

/** `recover --config-ref`: configuration as a commit of the git repository has it, with the secrets of the set. */

export function createConfigRefActivities(deps: Deps) {
  return {
    /** Before a run starts: what a tag means then is what it recovers, wherever the tag may be moved to. */
    'resolve-config-ref': (deployment: string, site: string, ref: string) =>
      asActivity(() => resolveCommit(deps, deployment, site, ref)),
  };
}

async function resolveCommit(deps: Deps, name: string, site: string, ref: string): Promise<string> {
  const { backup, sites } = deps.deployment(name);
  const git = backup.git!;
  const found = await reading(git, () =>
    withCopy(git, copyOf(sites[site]!.stateDir), undefined, async (copy) => {
      // The name of a set stands for its tag.
      return (await resolveRef(copy, ref)) ?? (await resolveRef(copy, `refs/tags/set/${ref}`));
    }),
  );
  if (found === undefined) throw new DrError('CONFIG_REF_UNKNOWN', { repository: git.repository, ref });
  return found;
}

/** Not that of the commits of backups: a run must not wait for one, nor meet one half way. */
const copyOf = (stateDir: string): string => join(stateDir, 'config-ref.git');

/** Whatever git says, nothing was changed yet. */
async function reading<T>({ repository }: GitConfig, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof DrError) || error.code !== 'TOOL_FAILED') throw error;
    const reason = String(error.details['output']).split('\n').slice(0, 2).join(' ');
    throw new DrError('GIT_UNREADABLE', { repository, reason }, { cause: error });
  }
}

/**
 * Everything that restoring from the commit will need, on the worker that will: nothing else is asked for later.
 *
 * @throws DrError GIT_UNREADABLE, CONFIG_REF_LACKS, CONFIG_REF_SECRET, UNSAFE_ARCHIVE
 */
export async function checkConfigRef(call: Call): Promise<Proof[]> {
  const { configRef } = call.input.plan;
  const wanted = treesOf(call);
  if (!configRef || wanted.length === 0) return [];
  const secrets = await secretsOf(call);
  for (const { object, config } of wanted) {
    const tree = await treeAt(call, object);
    if (!tree.files.some(({ path }) => path === config))
      throw new DrError('CONFIG_REF_LACKS', { ...shown(call), file: `${object}/${config}` });
    for (const file of tree.files) restored(call, object, file, secrets);
  }
  const components = wanted.map(({ object }) => object).join(', ');
  const has = `${components} with all secrets`;
  return [proof(`git has the configuration of ${configRef.commit.slice(0, 10)}`, true, has, has)];
}

/** Puts the tree of the commit in the place of the set's, where the run asks for it. @returns for the summary */
export async function takeFromGit(call: Call, object: string, unpacked: string): Promise<string | undefined> {
  const { configRef } = call.input.plan;
  if (!configRef) return undefined;
  const [secrets, tree] = await Promise.all([secretsOf(call), treeAt(call, object)]);
  const missing = await rebuildTree(unpacked, tree, (file) => restored(call, object, file, secrets));
  const left = missing.length === 0 ? '' : `; neither git nor the set has ${missing.join(', ')}`;
  return `from git ${configRef.ref} (${configRef.commit.slice(0, 10)})${left}`;
}

interface Wanted {
  /** The object of the set, and the folder in git. */
  readonly object: string;
  readonly config: string;
}

/** What this worker will restore in this run. */
function treesOf({ worker, target, deployment, input }: Call): Wanted[] {
  const { steps, from } = input.plan;
  const { dashboard, pump } = target;
  return [
    ...(dashboard && serves(worker, target, dashboard) && steps.includes('restore-dashboard-config')
      ? [{ object: 'dashboard', config: dashboard.config }]
      : []),
    ...(steps.includes('restore-gateway-config') ? gatewaysOn(worker, target) : []).map(
      ({ name, config }) => ({
        object: `gateway-${counterpart(deployment, from, name).name}`,
        config,
      }),
    ),
    ...(pump && serves(worker, target, pump) && steps.includes('start-pump')
      ? [{ object: 'pump', config: pump.config }]
      : []),
  ];
}

function treeAt(call: Call, object: string): Promise<VersionedTree> {
  const { deployment, input, target, signal } = call;
  const git = deployment.backup.git!;
  const { commit } = input.plan.configRef!;
  return reading(git, () =>
    withCommit(git, copyOf(target.stateDir), commit, signal, (copy) =>
      readVersionedTree(copy, commit, input.plan.deployment, object),
    ),
  );
}

/**
 * Secrets that a configuration of Tyk may hold. Who may push to the repository must not be able to call for others, such
 * as the keys of the backups, and find them in a file that is served.
 */
const OF_TYK = /^(secrets\.|redis\.password$|database\.password$)/;

interface Secrets {
  readonly resolve: Resolve;
  /** The same files in the set, with their secrets. */
  readonly now: ReadonlyMap<string, string>;
}

/** By fingerprint what it was at that commit, where the set still has it; else by name what it is now. */
async function secretsOf(call: Call): Promise<Secrets> {
  const { deployment, input, target, signal, secret } = call;
  const { backup } = deployment;
  const { manifest } = await manifestOf(storeOf(call, 'config'));
  const known = await knownSecrets(deployment, input.plan.to, secret);
  const { files, secrets } = await filesOfSet({
    backup,
    manifest,
    identity: await secret(backup.identity),
    fingerprintKey: await secret(backup.signingKey),
    known,
    scratch: join(target.stateDir, `config-ref-${input.step}`),
    signal,
  });
  const named = new Map(known.flatMap(({ name, value }) => (OF_TYK.test(name) ? [[name, value]] : [])));
  const whole = (text: string): string =>
    insertSecrets(
      text,
      undefined,
      (_, fingerprint) => secrets.get(fingerprint),
      () => undefined,
    );
  return {
    resolve: (name, fingerprint) => secrets.get(fingerprint) ?? named.get(name),
    now: new Map(files.map(({ path, content }) => [path, whole(content)])),
  };
}

function restored(
  call: Call,
  object: string,
  { path, content }: VersionedFile,
  { resolve, now }: Secrets,
): string {
  const unknown = new Set<string>();
  const file = `${object}/${path}`;
  const text = insertSecrets(content, now.get(file), resolve, (reference) => unknown.add(reference));
  if (unknown.size === 0) return text;
  throw new DrError('CONFIG_REF_SECRET', { ...shown(call), file, references: [...unknown].join(', ') });
}

function shown({ input }: Call): { ref: string; commit: string } {
  const { ref, commit } = input.plan.configRef!;
  return { ref, commit: commit.slice(0, 10) };
}
