/**
 * A value that must never be printed. It redacts itself wherever JavaScript would turn it into text, so that a
 * careless log line, an error detail or a serialised workflow input cannot leak it.
 */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The plain value, for the one call that needs it. Never store what it returns. */
  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return '[redacted]';
  }

  toJSON(): string {
    return '[redacted]';
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return '[redacted]';
  }
}

/** Where a secret is kept: `env:NAME`, `file:/path` or `command:["words"]`. The reference is not itself secret. */
export type SecretRef = `env:${string}` | `file:${string}` | `command:${string}`;

export const SECRET_REF_EXPECTED =
  'expected a reference, env:NAME, file:/path or command:["program","argument"], never the secret itself';

export const SECRET_REF = /^(env:[A-Za-z_][A-Za-z0-9_]*|file:\/.+|command:.+)$/;

export function isSecretRef(text: string): text is SecretRef {
  return (
    SECRET_REF.test(text) && (!text.startsWith('command:') || commandOf(text as SecretRef) !== undefined)
  );
}

/**
 * The words of a `command:` reference: a JSON list, or words with blanks between them. No shell ever reads it, so what
 * only a shell understands is no command.
 */
export function commandOf(reference: SecretRef): readonly string[] | undefined {
  const text = reference.slice('command:'.length).trim();
  if (!text.startsWith('['))
    return text !== '' && !/["'`$|&;<>\\]/.test(text) ? text.split(/\s+/) : undefined;
  try {
    const words: unknown = JSON.parse(text);
    const fits = Array.isArray(words) && words.length > 0 && words.every((word) => typeof word === 'string');
    return fits && words[0] !== '' ? words : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Replaces every occurrence of the given secrets in a text, longest first so that one secret which contains
 * another is removed whole. Secrets shorter than four characters are left: replacing them would shred the text.
 */
export function redact(text: string, secrets: readonly Secret[]): string {
  return secrets
    .map((secret) => secret.reveal())
    .filter((value) => value.length >= 4)
    .sort((a, b) => b.length - a.length)
    .reduce((redacted, value) => redacted.replaceAll(value, '[redacted]'), text);
}
