import type { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { connect } from 'node:tls';
import { requireWithinDrill } from '../../adapters/host/isolation.ts';
import type { Proof } from '../../domain/run.ts';
import { certificateProofs, certificatesOf } from '../certificates.ts';
import { readConf } from '../conf-file.ts';
import type { Call } from '../guard.ts';
import { ofCheck, shown, unknown } from './check.ts';
import { treesOn, type Tree } from '../site.ts';

/** The certificates that clients and people are shown: within their dates, naming their host, and those of the files. */

const CHECK = 'certificates are valid and the right ones';
const CONNECT_TIMEOUT_MS = 5_000;

/** Of the components on this host. */
export async function certificateChecks(call: Call): Promise<Proof[]> {
  const trees = treesOn(call.worker, call.target).filter(({ kind }) => kind !== 'pump');
  return (await Promise.all(trees.map(ofTree))).flat();
}

async function ofTree(tree: Tree): Promise<Proof[]> {
  const conf = await readConf(tree).catch(() => undefined);
  if (!conf) return [unknown(CHECK, tree.name, `${tree.config} cannot be read`)];
  const url = tree.url!;
  const named = await certificateProofs(tree.name, tree.root, conf, url);
  if (named.length === 0 && !url.startsWith('https:'))
    return [
      shown(CHECK, tree.name, true, 'valid where there are any', 'no TLS is configured: there is none'),
    ];
  const proofs = named.map(({ name, ...rest }) => ofCheck(CHECK, name, rest));
  if (!url.startsWith('https:')) return proofs;
  const served = await servedBy(url);
  const files = await certificatesOf(tree.name, tree.root, conf);
  if (typeof served === 'string') return [...proofs, unknown(CHECK, `${tree.name} at ${url}`, served)];
  if (files.length === 0) return [...proofs, ofHost(`${tree.name} at ${url}`, url, served)];
  const known = files.some(({ certificate }) => certificate?.fingerprint256 === served.fingerprint256);
  return [
    ...proofs,
    shown(
      CHECK,
      `${tree.name} shows that of its files`,
      known,
      'the same certificate',
      known ? 'the same' : 'another',
    ),
  ];
}

/** What is shown where clients come in; in a drill that is somebody else's. */
export async function clientCertificateChecks({ deployment, input }: Call): Promise<Proof[]> {
  const { traffic } = deployment;
  if (!traffic || input.plan.drill || !traffic.url.startsWith('https:')) return [];
  const served = await servedBy(traffic.url);
  const what = `the clients’ address ${traffic.url}`;
  return [typeof served === 'string' ? unknown(CHECK, what, served) : ofHost(what, traffic.url, served)];
}

function ofHost(what: string, url: string, certificate: X509Certificate): Proof {
  const { hostname } = new URL(url);
  const now = Date.now();
  const dated = Date.parse(certificate.validFrom) <= now && now < Date.parse(certificate.validTo);
  const host = hostname.replace(/^\[|\]$/g, '');
  const named = (isIP(host) === 0 ? certificate.checkHost(host) : certificate.checkIP(host)) !== undefined;
  return shown(
    CHECK,
    what,
    dated && named,
    `within its dates, for ${host}`,
    `valid to ${certificate.validTo}${named ? '' : `, for ${certificate.subjectAltName ?? certificate.subject}`}`,
  );
}

/** @returns the certificate, or why none was shown; whoever has signed it is their clients' business. */
async function servedBy(url: string): Promise<X509Certificate | string> {
  const { hostname, port } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, '');
  requireWithinDrill(host, Number(port) || 443);
  return new Promise((resolve) => {
    const socket = connect({
      host,
      port: Number(port) || 443,
      ...(isIP(host) === 0 ? { servername: host } : {}),
      // It is looked at, nothing is said to it.
      rejectUnauthorized: false,
      timeout: CONNECT_TIMEOUT_MS,
    });
    const end = (found: X509Certificate | string): void => {
      socket.destroy();
      resolve(found);
    };
    socket.on('secureConnect', () => end(socket.getPeerX509Certificate() ?? 'it shows no certificate'));
    socket.on('timeout', () => end('no answer in time'));
    socket.on('error', (error: Error) => end(error.message));
  });
}
