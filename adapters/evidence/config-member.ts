import type { Deployment } from '../../domain/config.ts';
import { isSecretField } from '../../domain/secret-fields.ts';
import { isSecretRef } from '../../domain/secret.ts';

/**
 * The configuration of a deployment as it may be shown to anybody: references to secrets stay, for they say where and
 * not what; of commands only the program is left, for any word of them may be a password.
 */

const HIDDEN = '[redacted]';

/** Fields that hold the words of a command. */
const COMMANDS = new Set([
  ...['start', 'stop', 'status', 'install', 'version', 'provision', 'command', 'scratchServer'],
]);

/** @param hide takes every known secret out of a text */
export function configMember(deployment: Deployment, hide: (text: string) => string): string {
  const walk = (value: unknown, path: readonly string[]): unknown => {
    if (Array.isArray(value)) {
      const isCommand = COMMANDS.has(path.at(-1) ?? '') && value.every((word) => typeof word === 'string');
      return isCommand ? commandText(value, hide) : value.map((item) => walk(item, path));
    }
    if (typeof value === 'string') return text(value, path, hide);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value)
        .filter(([, item]) => item !== undefined)
        .map(([key, item]) => [key, walk(item, [...path, key])]),
    );
  };
  return `${JSON.stringify(walk(deployment, []), undefined, 2)}\n`;
}

function commandText([program = '', ...words]: readonly string[], hide: (text: string) => string): string[] {
  return [hide(program), ...(words.length > 0 ? [`[${words.length} more words]`] : [])];
}

function text(value: string, path: readonly string[], hide: (text: string) => string): string {
  if (isSecretRef(value)) return value.startsWith('command:') ? `command:${HIDDEN}` : value;
  // Options of rclone are many, and which of them is a password only rclone knows.
  if (path.at(-2) === 'options' || isSecretField(path, value)) return HIDDEN;
  return hide(value);
}
