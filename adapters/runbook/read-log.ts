import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { DrError } from '../../domain/errors.ts';
import { parseEvent, type ScriptBegin, type ScriptEvent } from '../../domain/script-log.ts';

/** Reads the log of an exported script, whole or not at all. */

/** A run has some two hundred lines; what is larger is something else. */
const MOST_BYTES = 16 << 20;

export interface ScriptLog {
  readonly begin: ScriptBegin;
  /** All of them, in order; the last is `finish`. */
  readonly events: readonly ScriptEvent[];
}

/** @throws DrError LOG_REFUSED where a line is missing, was changed or cut off, or the run has not ended. */
export async function readScriptLog(file: string): Promise<ScriptLog> {
  const refuse = (reason: string): never => {
    throw new DrError('LOG_REFUSED', { file, reason });
  };
  const found = await stat(file).catch((error: NodeJS.ErrnoException) => refuse(error.code ?? error.message));
  if (!found.isFile()) return refuse('it is no file');
  if (found.size > MOST_BYTES) return refuse(`it has ${found.size} bytes, more than any such log`);
  const text = await readFile(file, 'utf8');
  if (!text.endsWith('\n')) return refuse('its last line is cut off');
  const events: ScriptEvent[] = [];
  let previous = 'none';
  for (const [index, line] of text.slice(0, -1).split('\n').entries()) {
    const where = `line ${index + 1}`;
    const event = parsed(line);
    if (event === undefined) return refuse(`${where} is no JSON`);
    const checked = parseEvent(event);
    if ('problem' in checked)
      return refuse(`${where} is not of such a log: ${checked.problem.slice(0, 300)}`);
    if (checked.n !== index + 1) return refuse(`${where} says that it is line ${checked.n}`);
    if (checked.previous !== previous) return refuse(`the line before ${where} was changed or taken out`);
    previous = createHash('sha256').update(line).digest('hex');
    events.push(checked);
  }
  const [begin] = events;
  if (begin?.event !== 'begin') return refuse('it does not begin with the begin of a run');
  if (events.at(-1)!.event !== 'finish')
    return refuse('the run has not ended, or the end of its log is missing');
  const inside = events.slice(1, -1).find(({ event }) => event === 'begin' || event === 'finish');
  if (inside) return refuse(`line ${inside.n} is a second ${inside.event}`);
  const contradiction = contradictionIn(events);
  if (contradiction !== undefined) return refuse(contradiction);
  return { begin, events };
}

/** No line follows the last one and vouches for it: what it says must fit the rest. */
function contradictionIn(events: readonly ScriptEvent[]): string | undefined {
  const finish = events.at(-1)!;
  if (finish.event !== 'finish') return undefined;
  const given = events.some((event) => event.event === 'decision' && event.kind === 'abort');
  if (given !== (finish.outcome === 'ABORTED'))
    return `its end says ${finish.outcome}, and its decisions do not`;
  if (given) return undefined;
  const exceptional = events.some(({ event }) => event === 'exception');
  if (exceptional !== (finish.outcome === 'RECOVERED_WITH_EXCEPTIONS'))
    return `its end says ${finish.outcome}, and its exceptions do not`;
  const ended = new Set(events.flatMap((event) => (event.event === 'end' ? [event.step] : [])));
  for (const event of events)
    if (event.event === 'start' && !ended.has(event.step))
      return `its end says ${finish.outcome}, and ${event.step} never ended`;
  return ended.has('write-record')
    ? undefined
    : `its end says ${finish.outcome}, and write-record is missing`;
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line) as unknown;
  } catch {
    return undefined;
  }
}
