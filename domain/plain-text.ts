/** What may be shown as it is, and how the rest is shown. */

/**
 * Control characters, line breaks and marks that turn the direction of text or are not seen: nothing that a person
 * wrote into a configuration or a command line on purpose, and much of what makes a log line lie. Joiners (ZWJ, ZWNJ)
 * are letters' own in many scripts.
 */
const UNSEEN = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}]|(?![\u200C\u200D])\p{Cf}/u;
const EVERY_UNSEEN = new RegExp(UNSEEN.source, 'gu');

export function isPlain(text: string): boolean {
  return !UNSEEN.test(text);
}

const SHOWN_MAX = 80;

/** A value of somebody else's, fit for a message: short, on one line, with what is not seen made visible. */
export function shown(value: unknown): string {
  const text = String(value);
  const short = text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}… (${text.length} characters)` : text;
  return short.replaceAll(EVERY_UNSEEN, (mark) => `\\u{${mark.codePointAt(0)!.toString(16)}}`);
}
