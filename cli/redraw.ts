/** Draws lines over those that were drawn before, in a terminal. They must fit the screen: what has scrolled away stays. */
export function redraw(): (lines: readonly string[]) => void {
  let drawn = 0;
  return (lines) => {
    const up = drawn > 0 ? `\u001B[${drawn}A` : '';
    process.stdout.write(`${up}${lines.map((line) => `\u001B[2K${line}`).join('\n')}\n\u001B[J`);
    drawn = lines.length;
  };
}
