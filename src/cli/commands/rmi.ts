import { openStore, removeImages } from '../../build/index.js';

export async function run(
  names: readonly string[],
  flags: { readonly root?: string },
  signal: AbortSignal,
): Promise<void> {
  await using opened = await openStore(flags.root, signal);
  for (const line of await removeImages(opened.store, names, { signal })) process.stdout.write(`${line}\n`);
}
