import { CancellationScope } from '@temporalio/workflow';

/** Runs a story with something beside it that ends with it, whatever it was at. The story alone says how both went. */
export async function beside<T>(watch: () => Promise<unknown>, story: () => Promise<T>): Promise<T> {
  const scope = new CancellationScope();
  const watching = scope.run(watch);
  // Nobody awaits it until the story has ended; without a handler its cancellation would fail the task.
  watching.catch(() => undefined);
  try {
    return await story();
  } finally {
    scope.cancel();
    await watching.catch(() => undefined);
  }
}
