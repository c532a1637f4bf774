import type { Proof } from '../../domain/run.ts';
import { isPublishedDefault } from '../../domain/default-secrets.ts';
import type { JsonObject } from '../../domain/tyk-conf.ts';
import { readConf } from '../conf-file.ts';
import type { Call } from '../guard.ts';
import { shown, unknown } from './check.ts';
import { treesOn, type Tree } from '../site.ts';

/** What the restored configurations say of key hashing, and whether somebody has left a secret as Tyk publishes it. */

const HASHED = 'keys are hashed';
const DEFAULTS = 'no default secrets';

export async function secretChecks(call: Call): Promise<Proof[]> {
  const trees = treesOn(call.worker, call.target).filter(({ kind }) => kind !== 'pump');
  const ofFiles = await Promise.all(trees.map(ofTree));
  const verifies = call.input.plan.workers.verifier.includes(call.worker);
  return [...ofFiles.flat(), ...(verifies ? [await inUse(call)] : [])];
}

async function ofTree(tree: Tree): Promise<Proof[]> {
  let conf: JsonObject;
  try {
    conf = await readConf(tree);
  } catch (error) {
    const why = `${tree.config} cannot be read: ${(error as NodeJS.ErrnoException).code ?? 'no JSON'}`;
    return [unknown(HASHED, tree.name, why), unknown(DEFAULTS, tree.name, why)];
  }
  const hashed = conf['hash_keys'] === true;
  const fields = secretFields(tree, conf);
  const bad = fields.flatMap(([field, value, needed]) => {
    if (needed && (value === undefined || value === '')) return [`${field} is empty`];
    return typeof value === 'string' && isPublishedDefault(value) ? [`${field} is a published default`] : [];
  });
  return [
    shown(HASHED, `hash_keys of ${tree.name}`, hashed, 'true', String(conf['hash_keys'] ?? 'not set')),
    shown(
      DEFAULTS,
      tree.name,
      bad.length === 0,
      'secrets of its own',
      bad.join(', ') || `${fields.length} looked at`,
    ),
  ];
}

type Field = readonly [name: string, value: unknown, needed: boolean];

function secretFields({ kind }: Tree, conf: JsonObject): Field[] {
  const within = (name: string, field: string): unknown => ((conf[name] ?? {}) as JsonObject)[field];
  const certificate: Field = [
    'security.private_certificate_encoding_secret',
    within('security', 'private_certificate_encoding_secret'),
    false,
  ];
  return kind === 'gateway'
    ? [
        ['secret', conf['secret'], true],
        ['node_secret', conf['node_secret'], conf['use_db_app_configs'] === true],
        ['storage.password', within('storage', 'password'), false],
        certificate,
      ]
    : [
        ['admin_secret', conf['admin_secret'], true],
        ['shared_node_secret', conf['shared_node_secret'], true],
        ['tyk_api_config.Secret', within('tyk_api_config', 'Secret'), true],
        ['redis_password', conf['redis_password'], false],
        certificate,
      ];
}

/** The ones that open the running components, wherever their configuration has them from. */
async function inUse(call: Call): Promise<Proof> {
  const { gateway, node, admin, certificate } = call.deployment.secrets;
  const bad: string[] = [];
  for (const [name, reference] of Object.entries({ gateway, node, admin, certificate })) {
    if (reference === undefined) continue;
    if (isPublishedDefault((await call.secret(reference)).reveal()))
      bad.push(`secrets.${name} is a published default`);
  }
  return shown(
    DEFAULTS,
    'as they are in use',
    bad.length === 0,
    'secrets of its own',
    bad.join(', ') || 'none',
  );
}
