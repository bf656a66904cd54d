import { isDeepStrictEqual } from 'node:util';
import { compareEntries, differ, entryShapes, readBuiltImage, type BuiltImage } from '../conformance/compare.js';
import type { ImageConfig } from '../../src/oci/image-config.js';

const MOST = 5;

/** The first differences of two OCI layouts' images: what `got` has in place of `want`. None when they are equal. */
export async function compareImages(got: string, want: string): Promise<readonly string[]> {
  const [ours, theirs] = [readBuiltImage(got), readBuiltImage(want)];
  if (
    ours.manifest.config.digest === theirs.manifest.config.digest &&
    isDeepStrictEqual(ours.manifest, theirs.manifest)
  )
    return [];
  const [{ rootfs: _a, ...config }, { rootfs: _b, ...wanted }] = [configOf(ours), configOf(theirs)];
  const found = [...differences('config', config, wanted)];
  const [a, b] = [ours.manifest.layers, theirs.manifest.layers];
  if (a.length !== b.length) found.push(differ('layers', a.length, b.length));
  for (const [i, layer] of a.entries()) {
    const other = b[i];
    if (other === undefined || layer.digest === other.digest) continue;
    const entries = [await entryShapes(ours.readLayer(layer)), await entryShapes(theirs.readLayer(other))] as const;
    found.push(
      compareEntries(`layer ${i}`, ...entries) ??
        differ(`layer ${i} diffID, though the entries are equal`, layer.digest, other.digest),
    );
  }
  // What is left when all that a user sees is equal.
  if (found.length === 0) {
    found.push(...differences('manifest', ours.manifest, theirs.manifest));
    if (ours.configText !== theirs.configText)
      found.push(differ('text of the config', ours.configText, theirs.configText));
  }
  return found.slice(0, MOST);
}

function configOf(image: BuiltImage): ImageConfig {
  return JSON.parse(image.configText) as ImageConfig;
}

/** One text for each member, however deep, that is not the same. */
function differences(what: string, got: unknown, want: unknown): readonly string[] {
  if (isDeepStrictEqual(got, want)) return [];
  if (!isObject(got) || !isObject(want)) return [differ(what, got, want)];
  const names = new Set([...Object.keys(got), ...Object.keys(want)]);
  return [...names].flatMap((name) => differences(`${what}.${name}`, got[name], want[name]));
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
