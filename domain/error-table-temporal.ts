import { refused, transient, usage, type ErrorEntry } from './error-kinds.ts';

/** What workers and Temporal refuse of each other: the part of the error table about encryption and configuration. */

export const TEMPORAL_ERRORS = {
  PAYLOAD_KEY_MISSING: refused(
    (d) =>
      `what Temporal holds was encrypted with the key '${d.key}', which this host does not have; it has ${d.known}`,
    'Add the key to temporal.encryption.keys in tyk-dr.yaml of this host. A key is needed until the last history with it is gone.',
    () => 'tyk-dr config check',
  ),
  PAYLOAD_DAMAGED: refused(
    (d) =>
      `what Temporal holds, encrypted with the key '${d.key}', was altered or belongs to another key: ${d.reason}`,
    'Compare the key of this id on every host. Where they agree, somebody has altered the data in Temporal: keep them and find out who.',
  ),
  PAYLOAD_KEY_UNUSABLE: usage(
    (d) => `the key '${d.key}' of temporal.encryption is ${d.found}; expected 32 bytes in base64`,
    'Make one with openssl rand -base64 32, and bring the same to every host.',
  ),
  WORKER_NOT_CONFIGURED: refused(
    (d) =>
      `the worker ${d.worker} refuses ${d.step}: it is not configured for ${d.what}; it serves ${d.serves}`,
    'Start the worker that tyk-dr.yaml names for it, or name this one there, on every host alike; then start the workers again.',
  ),
  WORKER_STOPPED: transient(
    (d) => `the worker ${d.worker} was stopped in the middle of ${d.step}`,
    'Nothing to do: the next worker of the queue looks how far it came, and goes on.',
  ),
} as const satisfies Record<string, ErrorEntry>;
