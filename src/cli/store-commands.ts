import { Option, type Command } from 'commander';
import { collect } from './collect.js';
import { interruptible } from './interrupt.js';

/** The commands that look after the store itself. */
export function addStoreCommands(cli: Command): void {
  cli
    .command('du')
    .description('show what the cache takes: all that is in the store beside its images')
    .option('--filter <filter>', 'until=24h, type=regular, id=DIGITS, …; may be repeated', collect)
    .option('--verbose', 'show all that is known of each')
    .option('--format <format>', 'table or json (one object a line)', 'table')
    .action(async (_options: object, command: Command) => {
      await (await import('./commands/du.js')).run(command.optsWithGlobals(), interruptible());
    });

  cli
    .command('prune')
    .description('remove cache that no image needs, images without a name, and what killed builds have left')
    .option('-a, --all', 'also the cache that images were made of; named images stay')
    .option('-f, --force', 'do not ask')
    .option(
      '--filter <filter>',
      'until=24h: not used for so long; type=regular, id=DIGITS, …; may be repeated',
      collect,
    )
    .option('--max-used-space <size>', 'the least recently used first, until no more than this is left')
    .option('--reserved-space <size>', 'stop when no more than this is left')
    .addOption(new Option('--keep-storage <size>', 'the same as --reserved-space').conflicts('reservedSpace'))
    .option('--min-free-space <size>', 'the least recently used first, until so much is free on the disk')
    .option('--verbose', 'show all that is known of what was removed')
    .option('--format <format>', 'table or json (one object a line)', 'table')
    .action(async (_options: object, command: Command) => {
      await (await import('./commands/prune.js')).run(command.optsWithGlobals(), interruptible());
    });

  cli
    .command('fsck')
    .description('look whether images and cache are whole; exit code 1 when they are not')
    .option('--quick', 'look at sizes, and not at contents')
    .option('--repair', 'forget what can be made anew, so that it is')
    .option('--format <format>', 'table or json', 'table')
    .action(async (_options: object, command: Command) => {
      await (await import('./commands/fsck.js')).run(command.optsWithGlobals(), interruptible());
    });
}
