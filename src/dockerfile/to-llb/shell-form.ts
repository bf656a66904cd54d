import type { ImageDraft } from './image-draft.js';

/** The words that run a command of the shell form: SHELL, then the text. */
export function withShell(image: ImageDraft, args: readonly string[]): readonly string[] {
  const shell = image.config.Shell?.length ? image.config.Shell : defaultShell(image.os);
  return [...shell, args.join(' ')];
}

function defaultShell(os: string): readonly string[] {
  return os === 'windows' ? ['cmd', '/S', '/C'] : ['/bin/sh', '-c'];
}
