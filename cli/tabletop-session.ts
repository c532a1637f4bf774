import { createInterface } from 'node:readline';
import { gapOf, type AnsweredItem, type TabletopItem, type TabletopView } from '../domain/tabletop.ts';
import { participantOf, type Roles } from '../domain/participants.ts';
import type { Participant } from '../domain/drill.ts';
import { DrError } from '../domain/errors.ts';
import { itemLines } from '../report/tabletop.ts';

/** A tabletop in the terminal: who is there, then item by item. What was said before Ctrl-C is kept. */

export interface Session {
  readonly present: readonly Participant[];
  readonly items: readonly AnsweredItem[];
  /** It was broken off before the last item. */
  readonly brokenOff: boolean;
}

interface Terminal {
  /** Undefined at the end of the input, and after Ctrl-C. */
  ask(prompt: string): Promise<string | undefined>;
  say(lines: readonly string[]): void;
  close(): void;
}

/** @param said who is there, where that was said beforehand; roles that are not in it are asked for */
export async function holdSession(
  items: readonly TabletopItem[],
  view: TabletopView,
  roles: Roles,
  said: readonly Participant[],
): Promise<Session> {
  const terminal = openTerminal();
  try {
    const present = [...said, ...(await askWhoIsThere(terminal, roles, said))];
    const answered: AnsweredItem[] = [];
    for (const [index, item] of items.entries()) {
      terminal.say(['', `(${index + 1} of ${items.length})`, ...itemLines(item, view)]);
      if (view === 'facilitator') terminal.say(comingLines(items.slice(index + 1)));
      const shownAt = Date.now();
      const answer = await terminal.ask('  answer> ');
      if (answer === undefined)
        return { present, items: [...answered, ...rest(items, index)], brokenOff: true };
      const tookMs = Date.now() - shownAt;
      const gap = view === 'facilitator' ? await terminal.ask('  gap (Enter: none)> ') : undefined;
      const found = gapOf(item, { answer, ...(gap === undefined ? {} : { gap }) }, present);
      answered.push({ ...item, asked: true, answer, tookMs, ...(found === undefined ? {} : { gap: found }) });
      // Only somebody who marks gaps is told of them while people still think.
      if (found !== undefined && view === 'facilitator') terminal.say([`  GAP: ${found}`]);
    }
    return { present, items: answered, brokenOff: false };
  } finally {
    terminal.close();
  }
}

const rest = (items: readonly TabletopItem[], from: number): AnsweredItem[] =>
  items.slice(from).map((item) => ({ ...item, asked: false }));

/** The facilitator knows what is still to happen. */
function comingLines(items: readonly TabletopItem[]): string[] {
  const events = items.filter(({ kind }) => kind === 'event').slice(0, 3);
  return events.length === 0 ? [] : [`    coming events: ${events.map(({ id }) => id).join(', ')}`];
}

async function askWhoIsThere(
  terminal: Terminal,
  roles: Roles,
  said: readonly Participant[],
): Promise<Participant[]> {
  const open = Object.entries(roles).filter(([role]) => !said.some((each) => each.role === role));
  const found: Participant[] = [];
  for (const [role, { people, deputies }] of open) {
    const others = deputies.length > 0 ? `; deputies ${deputies.join(', ')}` : '';
    for (;;) {
      const answer = await terminal.ask(
        `  who is ${role}? (Enter: ${people.join(', ')}${others}; - for nobody)> `,
      );
      if (answer === undefined || answer.trim() === '-') break;
      const names = answer.trim() === '' ? [...people] : answer.split(',').map((name) => name.trim());
      try {
        found.push(...names.map((name) => participantOf(roles, role, name, role)));
        break;
      } catch (error) {
        if (!(error instanceof DrError)) throw error;
        terminal.say([`  ${error.message}`]);
      }
    }
  }
  return found;
}

/** Lines of a terminal or of a pipe: those that come before they are asked for are not lost. */
function openTerminal(): Terminal {
  const reader = createInterface({
    ...{ input: process.stdin, output: process.stderr, terminal: process.stdin.isTTY },
  });
  const lines: string[] = [];
  let waiting: ((line: string | undefined) => void) | undefined;
  let ended = false;
  const end = (): void => {
    ended = true;
    waiting?.(undefined);
    waiting = undefined;
  };
  reader.on('line', (line) => {
    if (waiting) {
      waiting(line);
      waiting = undefined;
    } else lines.push(line);
  });
  reader.on('close', end);
  reader.on('SIGINT', () => reader.close());
  const interrupted = (): void => reader.close();
  process.on('SIGINT', interrupted);
  return {
    ask: (prompt) => {
      const next = lines.shift();
      if (next === undefined && ended) return Promise.resolve(undefined);
      // A reader that has read to its end prompts no more.
      if (ended) process.stderr.write(`${prompt}\n`);
      else {
        reader.setPrompt(prompt);
        reader.prompt();
      }
      if (next !== undefined) return Promise.resolve(next);
      return new Promise((resolve) => {
        waiting = resolve;
      });
    },
    say: (texts) => {
      process.stderr.write(`${texts.join('\n')}\n`);
    },
    close: () => {
      process.off('SIGINT', interrupted);
      reader.close();
    },
  };
}
