import { vi } from 'vitest';

/** What a command writes to a stream of its own, until all mocks are restored. */
export function captured(name: 'stdout' | 'stderr'): () => string {
  let text = '';
  vi.spyOn(process[name], 'write').mockImplementation((chunk) => {
    text += String(chunk);
    return true;
  });
  return () => text;
}
