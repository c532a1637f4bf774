/** One store's watermarks, over one connection. Whoever asks sets the deadline, and closes after any failure. */
export interface Marks {
  /** Ends when the store has acknowledged the number. Throws where that is not certain. */
  write(number: number): Promise<void>;
  /** Lets the connection go, whatever is under way on it. */
  close(): void;
}
