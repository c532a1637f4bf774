import { createHmac } from 'node:crypto';
import { canonical } from '../../adapters/config/digest.ts';
import { digestBelow } from '../../adapters/files/digest-tree.ts';
import type { TreePrint } from '../../domain/doctor.ts';
import { Secret } from '../../domain/secret.ts';
import { replicates } from '../../domain/strategy.ts';
import { rewriteConf, type Endpoints } from '../../domain/tyk-conf.ts';
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
      digest: keyed(canonical(value)),
    }));
    const files = await Promise.all(
      include.map(async (entry) => ({
        name: entry,
        digest: keyed(await digestBelow(root, entry, MOST_BYTES)),
      })),
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
