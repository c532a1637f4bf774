import { connect } from 'node:tls';
import { formatDuration } from '../../domain/duration.ts';
import { doubtful, fine, wrong, type CheckId, type Finding } from '../../domain/doctor.ts';
import { certificatesOf } from '../certificates.ts';
import { tykConfs, type Host } from './host.ts';

/** What ends by itself on a date: the licence of the Dashboard, and certificates. */

const DAY_MS = 86_400_000;
/** Time enough to buy a licence or to have a certificate made. */
const SOON_MS = 30 * DAY_MS;

export async function checkLicence(host: Host): Promise<Finding[]> {
  const found: Finding[] = [];
  for (const { component, conf } of await tykConfs(host)) {
    if (component !== 'dashboard' || !conf) continue;
    const key = conf['license_key'];
    const expiresAt = typeof key === 'string' ? expiryOf(key) : undefined;
    if (expiresAt === undefined) {
      const why =
        key === undefined ? 'tyk_analytics.conf has no license_key' : 'license_key has no date of expiry';
      found.push(doubtful('licence', host.where, `not measured: ${why}`));
    } else found.push(dated('licence', host.where, 'the licence of the Dashboard', expiresAt));
  }
  return found;
}

/** The licence is a JWT. Its signature is the Dashboard's business; its date is ours. */
function expiryOf(jwt: string): number | undefined {
  try {
    const claims = JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString('utf8')) as {
      exp?: unknown;
    };
    return typeof claims.exp === 'number' ? claims.exp * 1000 : undefined;
  } catch {
    return undefined;
  }
}

export async function checkCertificates(host: Host): Promise<Finding[]> {
  const found: Finding[] = [];
  for (const { name, tree, conf } of await tykConfs(host)) {
    if (!conf) continue;
    for (const { certificate, validity } of await certificatesOf(name, tree.root, conf)) {
      if (certificate)
        found.push(
          dated(
            'certificates',
            host.where,
            validity.name.replace(/ is valid today$/, ''),
            Date.parse(certificate.validTo),
          ),
        );
      else found.push(wrong('certificates', host.where, `${validity.name}: ${validity.actual}`));
    }
  }
  const url = host.deployment.traffic?.url;
  if (host.live && url?.startsWith('https:')) {
    const validTo = await shownBy(new URL(url));
    found.push(
      validTo === undefined
        ? doubtful('certificates', host.where, `not measured: ${url} shows no certificate`)
        : dated('certificates', host.where, `the certificate that ${url} shows`, Date.parse(validTo)),
    );
  }
  return found;
}

function dated(id: CheckId, where: string, what: string, expiresAtMs: number): Finding {
  const leftMs = expiresAtMs - Date.now();
  const at = new Date(expiresAtMs).toISOString();
  if (leftMs <= 0) return wrong(id, where, `${what} expired at ${at}`);
  const text = `${what} expires at ${at}`;
  return leftMs < SOON_MS
    ? doubtful(
        id,
        where,
        `${text}, in ${leftMs < DAY_MS ? formatDuration(leftMs) : `${Math.floor(leftMs / DAY_MS)} days`}`,
      )
    : fine(id, where, text);
}

const CONNECT_TIMEOUT_MS = 3_000;

/** The end of validity of what a server shows, whoever has signed it. */
function shownBy({ hostname, port }: URL): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({
      host: hostname,
      port: Number(port) || 443,
      servername: hostname,
      // Its date is read, nothing is said to it.
      rejectUnauthorized: false,
      timeout: CONNECT_TIMEOUT_MS,
    });
    const end = (validTo: string | undefined): void => {
      socket.destroy();
      resolve(validTo);
    };
    socket.on('secureConnect', () => end(socket.getPeerCertificate().valid_to));
    socket.on('timeout', () => end(undefined));
    socket.on('error', () => end(undefined));
  });
}
