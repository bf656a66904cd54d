import type { Seeded } from '../support/seeded.js';

const VALUES: readonly unknown[] = [
  [null, true, false, -1, 0, 1.5, 1e308, Number.MAX_SAFE_INTEGER, '', ' ', 'x', '\0', '\ud800', '../../x', '/'],
  [[], {}, [null], [[]], { a: 1 }, `sha256:${'0'.repeat(64)}`, 'sha256:../../../etc/passwd', 'sha512:00'],
  ['sha256:', 'linux', 'a=b', '=', 'PATH', 'x'.repeat(5000), 'application/vnd.oci.image.index.v1+json'],
  ['application/vnd.oci.image.layer.v1.tar+gzip', 'FROM x', 'RUN', 'ONBUILD RUN x', 'COPY a'],
  ['2000-01-01T00:00:00Z', 'not a time', JSON.parse('{"__proto__":{"a":1},"constructor":1}')],
].flat();

/** One to three changes anywhere in `document`; sometimes of its text, which then may be no JSON any more. */
export function mutateJson(document: unknown, seeded: Seeded): Buffer {
  const holder = { document: structuredClone(document) };
  for (let left = 1 + seeded.below(3); left > 0; left--) change(holder, seeded);
  const bytes = Buffer.from(JSON.stringify(holder.document) ?? 'undefined');
  if (seeded.below(10) === 0) return bytes.subarray(0, seeded.below(bytes.length + 1));
  if (seeded.below(10) === 0 && bytes.length > 0) bytes[seeded.below(bytes.length)] = seeded.below(256);
  return bytes;
}

function change(holder: object, seeded: Seeded): void {
  const places = placesIn(holder);
  if (places.length === 0) return;
  const [parent, key] = seeded.of(places);
  const how = seeded.below(5);
  if (how === 0) delete parent[key];
  else if (how === 1) parent[key] = [parent[key], parent[key]];
  else if (how === 2) {
    const [other, otherKey] = seeded.of(places);
    parent[key] = structuredClone(other[otherKey]);
  } else parent[key] = structuredClone(seeded.of(VALUES));
}

type Place = readonly [parent: Record<string, unknown>, key: string];

function placesIn(value: unknown): Place[] {
  if (typeof value !== 'object' || value === null) return [];
  const parent = value as Record<string, unknown>;
  return Object.keys(parent).flatMap((key): Place[] => [[parent, key], ...placesIn(parent[key])]);
}
