import { describe, expect, test } from 'vitest';
import { complete, type Names } from '../../cli/complete.ts';
import { completionTree } from '../../cli/completion-tree.ts';
import { buildProgram } from '../../cli/main.ts';

/** What a shell is offered; that the program answers it fast is tried in test/integration. */

const tree = completionTree(buildProgram(), ['check-backup', 'start-redis']);
const names: Names = {
  deployments: () => ['orders', 'payments'],
  sites: (deployment) => (deployment === 'payments' ? ['london', 'paris'] : ['london', 'paris', 'rome']),
  workers: () => ['london', 'edge'],
  runs: () => ['rec-2', 'rec-1'],
  sets: (deployment) => (deployment === 'orders' ? ['set-of-orders'] : ['set-1', 'set-2']),
};
const words = (...typed: string[]): string[] => complete(tree, typed, names).map(({ word }) => word);

describe('a shell is offered', () => {
  test('every command of the program, and those of a command', () => {
    expect(words('')).toEqual(buildProgram().commands.map((command) => command.name()));
    expect(words('backup', '')).toContain('verify');
    expect(words('config', '')).toContain('check');
  });

  test('the options of the command, and those of the program behind them', () => {
    expect(words('recover', 'payments', '--')).toEqual(
      expect.arrayContaining(['--to', '--scenario', '--config', '--help']),
    );
    expect(words('history', '--')).not.toContain('--scenario');
  });

  test.each([
    [
      ['recover', ''],
      ['orders', 'payments'],
    ],
    [
      ['recover', 'payments', '--to', ''],
      ['london', 'paris'],
    ],
    [
      ['recover', '--backup', ''],
      ['latest', 'set-1', 'set-2'],
    ],
    [
      ['status', ''],
      ['orders', 'payments', 'rec-2', 'rec-1'],
    ],
    [
      ['retry', ''],
      ['orders', 'payments', 'rec-2', 'rec-1'],
    ],
    [
      ['logs', 'payments', ''],
      ['check-backup', 'start-redis'],
    ],
    [
      ['retry', 'payments', '--step', ''],
      ['check-backup', 'start-redis'],
    ],
    [
      ['report', '--format', ''],
      ['text', 'json', 'html'],
    ],
    [['history', '--outcome', ''], expect.arrayContaining(['RECOVERED', 'STUCK']) as string[]],
    [
      ['worker', ''],
      ['london', 'edge'],
    ],
    [
      ['backup', 'verify', 'orders', ''],
      ['latest', 'set-of-orders'],
    ],
    [
      ['--config', 'some.yaml', 'status', ''],
      ['orders', 'payments', 'rec-2', 'rec-1'],
    ],
    [
      ['completion', ''],
      ['bash', 'zsh', 'fish'],
    ],
  ])('after %j: %j', (typed, expected) => expect(words(...typed)).toEqual(expected));

  test('nothing where something is free text, or a file', () => {
    expect(words('recover', 'payments', '--reason', '')).toEqual([]);
    expect(words('config', 'check', '')).toEqual([]);
  });
});
