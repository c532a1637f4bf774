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

/** Where a secret is kept: `env:NAME` or `file:/path`. The reference is not itself secret. */
export type SecretRef = `env:${string}` | `file:${string}`;

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
