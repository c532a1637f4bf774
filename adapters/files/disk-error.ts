import { DrError } from '../../domain/errors.ts';

/** What a disk, a quota or a server behind a mount answers to a write that it cannot take. */
const DISK_CODES = ['EDQUOT', 'EFBIG', 'EIO', 'ENOSPC', 'ENOTCONN', 'EROFS', 'ESTALE'];

/** Where a folder must be there and be ours to write: it has vanished, or somebody has changed it. */
const PLACE_CODES = ['EACCES', 'ENOENT', 'ENOTDIR', 'EPERM'];

/** An error of a disk as one of ours, any other as it is. */
export function diskError(path: string, error: unknown): unknown {
  return ofCodes(DISK_CODES, path, error);
}

/** The same for a path below the backup repository. */
export function repositoryError(path: string, error: unknown): unknown {
  return ofCodes([...DISK_CODES, ...PLACE_CODES], path, error);
}

/** Any error of a file or folder, where nothing but the disk can be the reason; one of ours as it is. */
export function fileError(path: string, error: unknown): DrError {
  if (error instanceof DrError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  return new DrError('DISK_FAILED', { path, reason: code ?? message }, { cause: error });
}

function ofCodes(codes: readonly string[], path: string, error: unknown): unknown {
  const { code, message } = error as NodeJS.ErrnoException;
  if (error instanceof DrError || code === undefined || !codes.includes(code)) return error;
  return new DrError('DISK_FAILED', { path, reason: message }, { cause: error });
}
