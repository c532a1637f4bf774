import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { isIP } from 'node:net';
import type { JsonObject } from '../domain/tyk-conf.ts';
import type { Proof } from '../domain/run.ts';
import { proof } from './proofs.ts';

/**
 * The certificates that a restored component will show its clients (`http_server_options` of tyk.conf and
 * tyk_analytics.conf): a site recovered under another name, or a year too late, answers and is believed by nobody.
 */

interface Listener {
  readonly domain_name?: string;
  readonly cert_file?: string;
}

/** @returns one proof for each certificate; none where the component does not speak TLS itself. */
export async function certificateProofs(
  name: string,
  root: string,
  conf: JsonObject,
  url: string,
): Promise<Proof[]> {
  if (!speaksTls(conf)) return [];
  const host = new URL(url).hostname;
  const found = await certificatesOf(name, root, conf);
  const naming = found.filter(({ certificate }) => certificate && names(certificate, host));
  return [
    proof(
      `${name}: a certificate names ${host}`,
      naming.length > 0,
      host,
      found
        .map(({ certificate }) => certificate?.subjectAltName ?? certificate?.subject ?? 'unreadable')
        .join('; ') || 'no certificate',
    ),
    ...found.map(({ validity }) => validity),
  ];
}

function serverOptions(conf: JsonObject): { use_ssl?: boolean; certificates?: Listener[] } {
  return (conf['http_server_options'] ?? {}) as { use_ssl?: boolean; certificates?: Listener[] };
}

const speaksTls = (conf: JsonObject): boolean => serverOptions(conf).use_ssl === true;

interface Inspected {
  readonly certificate?: X509Certificate;
  readonly validity: Proof;
}

/** The certificates that a configuration names, as they lie there; none where it does not speak TLS itself. */
export function certificatesOf(name: string, root: string, conf: JsonObject): Promise<Inspected[]> {
  return Promise.all(
    (speaksTls(conf) ? (serverOptions(conf).certificates ?? []) : [])
      .filter((listener) => listener.cert_file !== undefined)
      .map((listener) => inspect(name, root, listener.cert_file!)),
  );
}

async function inspect(name: string, root: string, file: string): Promise<Inspected> {
  const what = `${name}: certificate ${file} is valid today`;
  try {
    const certificate = new X509Certificate(await readFile(isAbsolute(file) ? file : join(root, file)));
    const now = Date.now();
    const valid = Date.parse(certificate.validFrom) <= now && now < Date.parse(certificate.validTo);
    return {
      certificate,
      validity: proof(what, valid, 'within its dates', `valid to ${certificate.validTo}`),
    };
  } catch (error) {
    return { validity: proof(what, false, 'a certificate', (error as Error).message) };
  }
}

function names(certificate: X509Certificate, host: string): boolean {
  return (isIP(host) === 0 ? certificate.checkHost(host) : certificate.checkIP(host)) !== undefined;
}
