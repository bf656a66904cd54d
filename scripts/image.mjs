// npm run image: builds Slipway's image with Slipway, and gives it the name `slipway` in the store.
// npm run image -- FLAGS: the same with flags of `slipway build`: `-t NAME --push`, `-o type=docker,dest=slipway.tar`.
// npm run image -- --official FLAGS: on the official base images, from their registry; without it on those of bases/.
import path from 'node:path';
import { bases } from './bases.mjs';
import { SLIPWAY, trustFlags } from './example.mjs';
import { runHere } from './process.mjs';
import { fail } from './say.mjs';
import { setup } from './setup.mjs';

const ROOT = path.dirname(import.meta.dirname);
const BASES = ['node:20-slim', 'debian:bookworm-slim'];

/** The arguments of `slipway` that build the image, on bases that lie in these layouts. */
export function imageBuild(layouts, flags = []) {
  const contexts = [...layouts].map(([name, layout]) => `--build-context=${name}=oci-layout://${layout}`);
  const named = flags.some((flag) => /^(?:-t|--tag)/.test(flag)) ? [] : ['--tag=slipway'];
  return ['build', ...named, ...contexts, ...trustFlags(), ...flags, ROOT];
}

/** Makes what is missing, and builds. Gives the exit code. */
export async function image(flags) {
  const official = flags.includes('--official');
  await setup(official ? [] : ['start']);
  const layouts = official ? new Map() : await bases(BASES);
  const own = flags.filter((flag) => flag !== '--official');
  return await runHere(process.execPath, [SLIPWAY, ...imageBuild(layouts, own)]);
}

if (process.argv[1] === import.meta.filename) {
  try {
    process.exitCode = await image(process.argv.slice(2));
  } catch (error) {
    fail(error);
  }
}
