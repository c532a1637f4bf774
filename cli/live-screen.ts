import type { RunRecord } from '../domain/run.ts';
import { asks } from '../report/asks.ts';
import { fittedTable } from '../report/table.ts';
import { textReport } from '../report/text.ts';
import type { Display, PeopleOf } from './follow.ts';
import { redraw } from './redraw.ts';

/** The live table of a terminal. It never grows beyond the screen: what has scrolled away cannot be drawn over. */

/** Where the terminal does not say. */
const COLUMNS = 120;
const ROWS = 40;

export function liveScreen(people: PeopleOf): Display {
  const drawOver = redraw();
  let last: RunRecord | undefined;
  let said = '';
  const draw = (): void => {
    if (!last) return;
    const { columns = COLUMNS, rows = ROWS } = process.stdout;
    const asked = [...asks(last), ...(said === '' ? [] : [`  ${said}`])].flatMap((line) =>
      wrap(line, columns - 1),
    );
    // One line stays for the cursor. What a person must do goes before everything else.
    const table = fittedTable(last, Date.now(), Math.max(3, rows - 1 - asked.length));
    const lines = [...table.map((line) => line.slice(0, columns - 1)), ...asked];
    drawOver(lines);
  };
  return {
    show(record) {
      last = record;
      said = '';
      draw();
    },
    notice(text) {
      said = `${new Date().toISOString()} ${text}`;
      if (last) draw();
      else process.stderr.write(`${said}\n`);
    },
    end(record) {
      const report = textReport(record, people(record));
      // The verdict has scrolled away with the beginning of the report.
      process.stdout.write(`\n${report}\n\n${report.split('\n')[0]}\n`);
    },
  };
}

/** Breaks a line between words; what follows is indented as its beginning. */
export function wrap(line: string, width: number): string[] {
  const indent = /^[ !]*/.exec(line)![0].replaceAll('!', ' ');
  const lines: string[] = [];
  let rest = line;
  while (rest.length > width) {
    const space = rest.lastIndexOf(' ', width);
    const at = space > indent.length ? space : width;
    lines.push(rest.slice(0, at));
    rest = indent + rest.slice(at).trimStart();
  }
  return [...lines, rest];
}
