import { mkdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { build, BuildError, parseOutput } from '../../src/build/index.js';
import type { ImageConfig } from '../../src/oci/image-config.js';
import { readImage } from '../support/image.js';
import { makeTempDir, removeTempDir } from '../support/temp-dir.js';

/** One Dockerfile, and what BuildKit 0.32.1 made of it with SOURCE_DATE_EPOCH and `rewrite-timestamp`. */
interface LanguageCase {
  readonly name: string;
  readonly dockerfile: string;
  readonly buildArgs?: Readonly<Record<string, string>>;
  readonly target?: string;
  /** Its message, up to what names a cache key. */
  readonly error?: string;
  readonly config?: ImageConfig['config'];
  readonly author?: string;
  readonly history?: ImageConfig['history'];
  readonly diffIds?: readonly string[];
}

const EPOCH = 1445412480;
/** Time of every file and directory of the context. */
const CONTEXT_TIME = 1400000000;

const { files, cases } = JSON.parse(readFileSync(path.join(import.meta.dirname, 'cases.json'), 'utf8')) as {
  readonly files: Readonly<Record<string, string>>;
  readonly cases: readonly LanguageCase[];
};

let dir = '';
let context = '';
beforeAll(() => {
  dir = makeTempDir('language');
  context = path.join(dir, 'context');
  const made = new Set<string>([context]);
  for (const [name, content] of Object.entries(files)) {
    const file = path.join(context, name);
    mkdirSync(path.dirname(file), { recursive: true, mode: 0o755 });
    writeFileSync(file, content, { mode: 0o644 });
    for (let above = file; above !== context; above = path.dirname(above)) made.add(above);
  }
  for (const file of made) utimesSync(file, CONTEXT_TIME, CONTEXT_TIME);
});
afterAll(() => removeTempDir(dir));

test.each(cases)('$name', async ({ name, dockerfile, buildArgs, target, error, ...wanted }) => {
  const file = path.join(dir, `${name}.Dockerfile`);
  const dest = path.join(dir, `${name}.layout`);
  writeFileSync(file, dockerfile);
  const made = build({
    context,
    file,
    root: path.join(dir, 'store'),
    platform: 'linux/amd64',
    buildArgs: { SOURCE_DATE_EPOCH: String(EPOCH), ...buildArgs },
    noCache: true,
    offline: true,
    ...(target !== undefined && { target }),
    outputs: [parseOutput(`type=oci,dest=${dest},tar=false,compression=uncompressed,rewrite-timestamp=true`)],
    signal: AbortSignal.timeout(30_000),
  });
  if (error !== undefined) {
    const failure = await made.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(failure).toBeInstanceOf(BuildError);
    expect((failure as BuildError).message).toContain(error);
    return;
  }
  await made;
  const { config } = readImage(dest);
  const history = (config.history ?? []).map(({ created_by, empty_layer }) => ({
    ...(created_by !== undefined && { created_by }),
    ...(empty_layer !== undefined && { empty_layer }),
  }));
  const got = { config: config.config, author: config.author, history, diffIds: config.rootfs.diff_ids };
  expect(got).toEqual(wanted);
});
