import { createHash, createHmac, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { TreePrint } from '../../domain/doctor.ts';
import { Secret } from '../../domain/secret.ts';
import { replicates } from '../../domain/strategy.ts';
import { rewriteConf, type Endpoints, type Json } from '../../domain/tyk-conf.ts';
import { certificatesOf } from '../certificates.ts';
import { readConf } from '../conf-file.ts';
import { treesOn, type Tree } from '../site.ts';
import type { Host } from './host.ts';
import { keyedBy } from './keys.ts';

/**
 * What tells whether two sites hold the same configuration, without it: keyed digests of every field and of every
 * included file or folder, after the fields that each site has of its own were made equal.
 */

/** More, and only names and sizes are compared: the doctor answers within seconds. */
const MOST_BYTES = 64 * 1_048_576;

/** None where nothing replicates, or the host has no age identity to key them with. */
export async function treePrintsOf(host: Host): Promise<TreePrint[]> {
  if (!replicates(host.deployment.strategy)) return [];
  const key = await keyedBy(host);
  if (key === undefined) return [];
  return Promise.all(treesOn(host.worker, host.site).map((tree) => printOf(host, tree, key)));
}

async function printOf(host: Host, tree: Tree, key: string): Promise<TreePrint> {
  const { kind, root, config, include } = tree;
  const name = kind === 'gateway' ? `gateway ${tree.name}` : tree.name;
  const keyed = (text: string): string =>
    createHmac('sha256', key).update(`${host.nonce}\0${text}`).digest('hex').slice(0, 16);
  try {
    const conf = await readConf(tree);
    const same = rewriteConf(kind, conf, root, commonEndpoints(host, tree));
    const fields = Object.entries(same).map(([field, value]) => ({
      name: `${config}: ${field}`,
      digest: keyed(sorted(value)),
    }));
    const files = await Promise.all(
      include.map(async (entry) => ({ name: entry, digest: keyed(await digestBelow(root, entry)) })),
    );
    const certificates = await certificatesOf(name, root, conf);
    return {
      ...{ name, kind, parts: [...fields, ...files] },
      certificates: certificates.flatMap(({ certificate }) =>
        certificate
          ? [
              {
                subject: certificate.subject,
                sha256: certificate.fingerprint256,
                validTo: certificate.validTo,
              },
            ]
          : [],
      ),
    };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const problem = code === 'ENOENT' ? `${config} is not there` : message;
    return { ...{ name, kind, parts: [], certificates: [], problem } };
  }
}

const PUT = 'the same at every site';

/** What a restore rewrites for a site becomes the same at all of them: what is left may be compared. */
function commonEndpoints({ site, deployment }: Host, { url }: Tree): Endpoints {
  const { redis, database, dashboard, gateways } = site;
  const secret = new Secret(PUT);
  const address = { host: 'site', port: 1 };
  const { ca, cert, key } = redis?.tls ?? {};
  return {
    root: '/site',
    ...(url === undefined ? {} : { listen: 'http://site:1' }),
    ...(redis
      ? {
          redis: {
            ...{ ...address, database: 0 },
            ...(redis.tls
              ? {
                  tls: {
                    ...(ca === undefined ? {} : { ca: PUT }),
                    ...(cert === undefined ? {} : { cert: PUT }),
                    ...(key === undefined ? {} : { key: PUT }),
                  },
                }
              : {}),
          },
        }
      : {}),
    ...(database ? { database: { ...address, name: PUT, user: PUT, password: secret } } : {}),
    ...(dashboard ? { dashboardUrl: 'http://site:1' } : {}),
    ...(gateways.length > 0 ? { gatewayUrl: 'http://site:1' } : {}),
    secrets: {
      ...{ gateway: secret, node: secret },
      ...(deployment.secrets.admin === undefined ? {} : { admin: secret }),
      ...(deployment.secrets.certificate === undefined ? {} : { certificate: secret }),
    },
  };
}

/** JSON whose objects have their fields in one order. */
function sorted(value: Json): string {
  return JSON.stringify(value, (_, item: Json) =>
    typeof item === 'object' && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
      : item,
  );
}

/** Of names, kinds and content; of names and sizes where that is too much to read. */
async function digestBelow(root: string, entry: string): Promise<string> {
  const found: Found[] = [];
  await walk(root, entry, found);
  const total = found.reduce((sum, { bytes }) => sum + bytes, 0);
  const hash = createHash('sha256');
  for (const { path, kind, bytes } of found.sort((a, b) => (a.path < b.path ? -1 : 1))) {
    hash.update(`${kind}\0${path}\0${bytes}\0`);
    if (kind === 'link') hash.update(await readlink(join(root, path)));
    else if (kind === 'file' && total <= MOST_BYTES) await addFile(hash, join(root, path));
  }
  return hash.digest('hex');
}

interface Found {
  readonly path: string;
  readonly kind: 'file' | 'folder' | 'link' | 'other';
  readonly bytes: number;
}

async function walk(root: string, path: string, found: Found[]): Promise<void> {
  const facts = await lstat(join(root, path)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (!facts) return;
  if (facts.isDirectory()) {
    found.push({ path, kind: 'folder', bytes: 0 });
    for (const name of await readdir(join(root, path))) await walk(root, join(path, name), found);
  } else if (facts.isFile()) found.push({ path, kind: 'file', bytes: facts.size });
  else found.push({ path, kind: facts.isSymbolicLink() ? 'link' : 'other', bytes: 0 });
}

async function addFile(hash: Hash, path: string): Promise<void> {
  await pipeline(createReadStream(path), async (chunks: AsyncIterable<Buffer>) => {
    for await (const chunk of chunks) hash.update(chunk);
  });
}
