/** An answer that says no: its HTTP status and the words of the real Dashboard. */
export class Refused extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}
