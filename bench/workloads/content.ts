import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Seeded } from '../../test/support/seeded.js';

/** Writes a Dockerfile into a folder of its own below `dir`, since some builders take the whole folder; gives its path. */
export function dockerfile(dir: string, name: string, source: string): string {
  const folder = path.join(dir, `dockerfile-${name}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, 'Dockerfile'), source);
  return path.join(folder, 'Dockerfile');
}

/** Words, which compress about as source code does. */
export function words(random: Seeded, bytes: number): string {
  let text = '';
  while (text.length < bytes) text += `${random.below(0xffffff).toString(36)} `;
  return text.slice(0, bytes);
}

/** Bytes that do not compress. */
export function noise(random: Seeded, bytes: number): Buffer {
  const buffer = Buffer.allocUnsafe(bytes);
  for (let i = 0; i < bytes; i++) buffer[i] = random.below(256);
  return buffer;
}
