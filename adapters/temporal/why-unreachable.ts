import { X509Certificate } from 'node:crypto';
import { connect as connectTcp, isIP } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { NativeConnectionOptions } from '@temporalio/worker';

/** Why no connection to Temporal comes about, found out by speaking to the address once more, without Temporal. */

const PATIENCE_MS = 3_000;
/** With TLS 1.3 a server refuses a client's certificate only after the client thinks that all is well. */
const VERDICT_MS = 700;
/** With which every HTTP/2 client begins, and an empty SETTINGS frame. */
const GREETING = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0', 'latin1');

type Tls = NativeConnectionOptions['tls'];

/** @returns a reason in lower case; undefined where nothing is wrong with the connection itself. */
export async function whyUnreachable(address: string, tls: Tls): Promise<string | undefined> {
  const at = address.lastIndexOf(':');
  const [host, port] = [address.slice(0, at).replace(/^\[|\]$/g, ''), Number(address.slice(at + 1))];
  if (at < 1 || !Number.isInteger(port) || port < 1 || port > 65_535) return 'the address is not HOST:PORT';
  const own = ownCertificate(tls);
  if (own !== undefined) return own;
  try {
    const failure = await (tls ? tryTls(host, port, tls === true ? {} : tls) : tryTcp(host, port));
    return failure && (WORDS[failure] ?? failure);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    return WORDS[code] ?? wordsOf(error);
  }
}

/** A certificate of ours that cannot do: known without asking anybody. */
function ownCertificate(tls: Tls): string | undefined {
  const pair = typeof tls === 'object' ? tls?.clientCertPair : undefined;
  if (!pair) return undefined;
  try {
    const certificate = new X509Certificate(Buffer.from(pair.crt));
    const [from, to] = [new Date(certificate.validFrom), new Date(certificate.validTo)];
    if (to.getTime() < Date.now()) return `the certificate of this host expired at ${to.toISOString()}`;
    if (from.getTime() > Date.now())
      return `the certificate of this host is valid from ${from.toISOString()} only`;
    return undefined;
  } catch {
    return 'temporal.tls.certificate holds no certificate in PEM';
  }
}

function tryTcp(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp({ host, port, timeout: PATIENCE_MS });
    const end = (answer?: string): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.on('error', reject);
    socket.on('timeout', () => end('ETIMEDOUT'));
    // A server without TLS greets back; one that wants TLS hangs up or sends an alert.
    socket.on('connect', () => {
      socket.write(GREETING);
      setTimeout(end, VERDICT_MS);
    });
    socket.on('data', (data: Buffer) => end(data[0] === TLS_ALERT ? 'WANTS_TLS' : undefined));
    socket.on('close', () => end('WANTS_TLS'));
  });
}

/** The type of a TLS record that brings an alert. */
const TLS_ALERT = 0x15;

function tryTls(
  host: string,
  port: number,
  tls: Exclude<Tls, boolean | null | undefined>,
): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const servername = tls.serverNameOverride ?? (isIP(host) ? undefined : host);
    const pem = (bytes: Uint8Array): Buffer => Buffer.from(bytes);
    const socket = connectTls({
      ...{ host, port, timeout: PATIENCE_MS, ALPNProtocols: ['h2'] },
      ...(servername === undefined ? {} : { servername }),
      ...(tls.serverRootCACertificate && { ca: pem(tls.serverRootCACertificate) }),
      ...(tls.clientCertPair && { cert: pem(tls.clientCertPair.crt), key: pem(tls.clientCertPair.key) }),
    });
    const end = (answer?: string): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.on('error', reject);
    socket.on('timeout', () => end('ETIMEDOUT'));
    socket.on('secureConnect', () => {
      socket.write(GREETING);
      setTimeout(end, VERDICT_MS);
    });
    socket.on('data', () => end());
    socket.on('close', () => end('HUNG_UP'));
  });
}

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ENOTFOUND: 'the name is unknown',
  EAI_AGAIN: 'the name cannot be resolved now',
  ETIMEDOUT: 'it does not answer in time',
  EHOSTUNREACH: 'there is no route to it',
  ECONNRESET: 'it broke the connection off',
  WANTS_TLS: 'it hangs up without TLS: is temporal.tls missing?',
  HUNG_UP:
    'it broke the connection off after the TLS handshake: it may not accept the certificate of this host',
  EPROTO: 'it does not speak TLS, or no version that we know',
  CERT_HAS_EXPIRED: "the server's certificate has expired",
  DEPTH_ZERO_SELF_SIGNED_CERT: "the server's certificate is not signed by temporal.tls.ca",
  SELF_SIGNED_CERT_IN_CHAIN: "the server's certificate is not signed by temporal.tls.ca",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "the server's certificate is not signed by temporal.tls.ca",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "the server's certificate is not signed by temporal.tls.ca",
  ERR_TLS_CERT_ALTNAME_INVALID:
    "the server's certificate is for another name: set temporal.tls.serverName to the one that it bears",
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED:
    'the server demands a certificate of this host: set temporal.tls.certificate and key',
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: 'the server does not know who signed the certificate of this host',
  ERR_SSL_TLSV1_ALERT_DECRYPT_ERROR: 'the server does not know who signed the certificate of this host',
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED: 'the certificate of this host has expired, says the server',
  ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE: 'the server refuses the certificate of this host',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS: is temporal.tls meant for another server?',
  ERR_OSSL_X509_KEY_VALUES_MISMATCH: 'temporal.tls.key does not belong to temporal.tls.certificate',
};

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message.split('\n')[0]!.slice(0, 200) : String(error);
}
