import { findImage, openStore } from '../../build/index.js';

export async function run(name: string, flags: { readonly root?: string }, signal: AbortSignal): Promise<void> {
  await using opened = await openStore(flags.root, signal, 'read');
  const { names, image } = await findImage(opened.store, name, { signal });
  const { descriptor, manifest, config } = image;
  process.stdout.write(`${JSON.stringify({ names, descriptor, manifest, config }, undefined, 2)}\n`);
}
