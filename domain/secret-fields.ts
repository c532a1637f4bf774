/**
 * Which values of a configuration are secret by where they stand: fields of tyk.conf, tyk_analytics.conf, pump.conf,
 * API definitions and OpenAPI documents, and lines of redis.conf, postgresql.conf and the like. Pure. In doubt a value
 * is secret: a reference too many costs nothing, for it leads back to the value.
 */

/** What is put in the place of a secret value. */
export type Swap = (value: string) => string;

const ENDINGS = [
  ...['secret', 'password', 'passwd', 'passphrase', 'passcode', 'pwd', 'requirepass', 'masterauth'],
  ...[
    'privatekey',
    'apikey',
    'accesskey',
    'accesskeyid',
    'secretkey',
    'licensekey',
    'licencekey',
    'writekey',
  ],
  ...[
    'clientkey',
    'signingkey',
    'encryptionkey',
    'hmackey',
    'sharedkey',
    'accountkey',
    'routingkey',
    'awskey',
  ],
  ...['token', 'credential', 'authorization', 'cookie', 'passphrasecommand', 'sentrycode', 'encodingsecret'],
];
const SECRET_NAME = new RegExp(`(?:${ENDINGS.join('|')})s?$`);

/** By the name of the field alone, however it is written: `client_secret`, `clientSecret`, `Client-Secret`. */
export function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name.replaceAll(/[^A-Za-z0-9]/g, '').toLowerCase()) || /(^|[_.-])pass$/i.test(name);
}

/** Headers that let somebody in. */
function isSecretHeader(name: string): boolean {
  return isSecretName(name) || /auth|token|secret|key|cookie|session|signature|credential/i.test(name);
}

/** Everything that a webhook sends along is between it and its receiver. */
const WEBHOOK = /hook|header_map|handler_meta/i;

export function isSecretField(path: readonly string[], value: string): boolean {
  const name = path.at(-1) ?? '';
  const around = path.slice(0, -1);
  if (/^jwt_?source$/i.test(name) || (name === 'source' && around.some((key) => /jwt/i.test(key))))
    return !isPublicSource(value);
  const inHeaders = around.some((key) => /header/i.test(key)) && !/(name|method|type|enabled)$/i.test(name);
  if (inHeaders && around.some((key) => WEBHOOK.test(key))) return true;
  return isSecretName(name) || (inHeaders && isSecretHeader(name));
}

/** In `{name: 'Authorization', value: '...'}` the one says what the other is. */
export function isSecretPair(object: Readonly<Record<string, unknown>>, around: readonly string[]): boolean {
  const name = object['name'] ?? object['key'] ?? object['header'];
  if (typeof name !== 'string' || typeof object['value'] !== 'string') return false;
  return isSecretHeader(name) || around.some((key) => WEBHOOK.test(key));
}

/** A JWT source is a shared secret unless it says where a public key is, or is one; Tyk writes it in base64. */
function isPublicSource(source: string): boolean {
  return [source, fromBase64(source) ?? ''].some(
    (text) => /^https?:\/\//.test(text) || /BEGIN (PUBLIC KEY|RSA PUBLIC KEY|CERTIFICATE)/.test(text),
  );
}

/** The text that a whole value holds in base64; undefined where it is none. */
export function fromBase64(value: string): string | undefined {
  if (!/^[A-Za-z0-9+/_-]{12,}={0,2}$/.test(value)) return undefined;
  try {
    const binary = atob(value.replaceAll('-', '+').replaceAll('_', '/').replace(/=+$/, ''));
    const bytes = Uint8Array.from(binary, (letter) => letter.charCodeAt(0));
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return [...text].some((letter) => letter < ' ' && !'\n\r\t'.includes(letter)) ? undefined : text;
  } catch {
    return undefined;
  }
}

export const holdsPrivateKey = (text: string): boolean =>
  /-----BEGIN [A-Z0-9 ]*PRIVATE KEY|AGE-SECRET-KEY-1/.test(text);

/** What is secret in any text, by its form: passwords of addresses and connection strings, tokens of headers. */
export function swapForms(text: string, swap: Swap): string {
  return text
    .replaceAll(
      /([a-z][a-z0-9+.-]*:\/\/[^\s:/@'"]*:)([^\s/@'"]+)(?=@)/gi,
      (_, before: string, value: string) => before.concat(once(value, swap)),
    )
    .replaceAll(/([?&]([\w.-]+)=)([^\s&#'"]+)/g, (all, before: string, name: string, value: string) =>
      isSecretName(name) ? before.concat(once(value, swap)) : all,
    )
    .replaceAll(
      /(\b(?:password|passwd|pwd|sslpassword)\s*=\s*)(?:'((?:[^'\\]|\\.)+)'|([^\s;&'"]+))/gi,
      (_, before: string, quoted: string | undefined, bare: string | undefined) =>
        quoted === undefined ? before.concat(once(bare!, swap)) : `${before}'${once(quoted, swap)}'`,
    )
    .replaceAll(/(\b(?:Basic|Bearer)\s+)([\w.~+/=-]{8,})/g, (all, before: string, value: string) =>
      /\d|=$/.test(value) ? before.concat(once(value, swap)) : all,
    );
}

/** Lines of servers' and other configurations, assignments in program text. */
export function swapLines(text: string, swap: Swap): string {
  return text
    .split('\n')
    .map((line) => swapLine(line, swap))
    .join('\n');
}

const QUOTED = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/.source;

/** Redis: a word, then its value. The last ones have a name between the two. */
const REDIS = new RegExp(
  `^(\\s*(?:requirepass|masterauth|tls-(?:client-)?key-file-pass|rename-command\\s+\\S+|sentinel\\s+auth-pass\\s+\\S+)\\s+)(${QUOTED}|\\S+)`,
  'i',
);
/** `name = value`, `name: value`, `export NAME=value`, `"name": "value",`, `var name = 'value';` */
const ASSIGNED = new RegExp(`([\\w$.-]+)(["']?\\s*[:=]\\s*)(${QUOTED})`, 'g');
const SETTING = /^(\s*(?:export\s+|-\s+)?([\w.-]+)\s*[:=]\s*)([^\s"'#][^\s#]*)/;

function swapLine(line: string, swap: Swap): string {
  if (/^\s*user\s/.test(line))
    return line.replaceAll(/(\s[><#!])(\S+)/g, (_, sign: string, value: string) => sign + once(value, swap));
  return line
    .replace(REDIS, (_, before: string, value: string) => before + insideQuotes(value, swap))
    .replaceAll(ASSIGNED, (all, name: string, between: string, value: string) =>
      isSecretName(name) ? name + between + insideQuotes(value, swap) : all,
    )
    .replace(SETTING, (all, before: string, name: string, value: string) =>
      // A call or a template is where a secret comes from, not the secret.
      isSecretName(name) && !/[(){}<>]/.test(value) ? before.concat(once(value, swap)) : all,
    );
}

function insideQuotes(value: string, swap: Swap): string {
  const [first] = value;
  if (first !== '"' && first !== "'") return once(value, swap);
  const inner = value.slice(1, -1);
  return inner === '' ? value : first + once(inner, swap) + first;
}

/** What is a reference already stays one. */
function once(value: string, swap: Swap): string {
  return REFERENCE.test(value) ? value : swap(value);
}

/** `${tyk-dr:redis.password#5d41402abc}`: what it is called, and a keyed fingerprint of what it was. */
export const REFERENCE = /\$\{tyk-dr:([\w.-]+)#([0-9a-f]{10})\}/;
