import { join } from 'node:path';
import { execa } from 'execa';

/** An authority of the tests' own, and what it has signed: for a server at 127.0.0.1 and for a client. */
export interface Certificates {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

export async function makeCertificates(dir: string): Promise<Certificates> {
  const [ca, caKey, cert, key, request] = ['ca.crt', 'ca.key', 'redis.crt', 'redis.key', 'redis.csr'].map(
    (name) => join(dir, name),
  ) as [string, string, string, string, string];
  const elliptic = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const openssl = (...args: string[]) => execa('openssl', args);
  await openssl(
    'req',
    '-x509',
    ...elliptic,
    '-keyout',
    caKey,
    '-out',
    ca,
    '-days',
    '2',
    '-subj',
    '/CN=tests',
  );
  const name = ['-subj', '/CN=redis', '-addext', 'subjectAltName=IP:127.0.0.1'];
  await openssl('req', ...elliptic, '-keyout', key, '-out', request, ...name);
  const signed = ['-CA', ca, '-CAkey', caKey, '-CAcreateserial', '-days', '2', '-copy_extensions', 'copy'];
  await openssl('x509', '-req', '-in', request, '-out', cert, ...signed);
  return { ca, cert, key };
}

export function tlsLines({ ca, cert, key }: Certificates, port: number): string[] {
  return [
    ...['port 0', `tls-port ${port}`, `tls-cert-file ${cert}`, `tls-key-file ${key}`],
    ...[`tls-ca-cert-file ${ca}`, 'tls-auth-clients yes', 'tls-replication yes', 'tls-cluster yes'],
  ];
}
