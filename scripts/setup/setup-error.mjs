/** What the owner of this machine must know. `exitCode` 2: something only the owner can give is missing. */
export class SetupError extends Error {
  constructor(message, { hint, exitCode = 1 } = {}) {
    super(message);
    this.hint = hint;
    this.exitCode = exitCode;
  }
}
