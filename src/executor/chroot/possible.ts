import { BuildError } from '../../base/errors.js';
import type { RunSpec } from '../types.js';

/** Throws ISOLATION_UNAVAILABLE for a spec that asks for what only namespaces and mounts can give. */
export function requirePossible(spec: RunSpec): void {
  const wish = wishOf(spec);
  if (wish === undefined) return;
  throw new BuildError('ISOLATION_UNAVAILABLE', `${wish} is not possible with \`--isolation=chroot\``, {
    hint: 'the isolations `root` and `userns` can do it: `slipway doctor` says what this machine lacks for them',
  });
}

function wishOf({ network, insecure, hostname, readonlyRoot }: RunSpec): string | undefined {
  if (network === 'none') return 'a network of its own (`--network=none`)';
  if (insecure) return 'RUN with every right (`--security=insecure`)';
  if (hostname !== undefined) return `a host name of its own (\`${hostname}\`)`;
  if (readonlyRoot) return 'a read-only root';
  return undefined;
}
