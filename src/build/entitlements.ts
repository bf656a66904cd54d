import { BuildError } from '../base/errors.js';
import type { Edge, Vertex } from '../llb/types.js';
import { topological } from '../llb/vertex.js';
import type { BuildOptions } from './options.js';

/** Refuses a Dockerfile that asks for more than `--allow` gives it. Nothing has run by then. */
export function requireAllowed(target: Edge | undefined, { allow = [], network }: BuildOptions): void {
  if (!target) return;
  const allowed = new Set(network === 'host' ? [...allow, 'network.host'] : allow);
  for (const vertex of topological(target.vertex)) {
    for (const right of wantedBy(vertex)) {
      if (allowed.has(right)) continue;
      throw new BuildError('NOT_ALLOWED', `failed to load LLB: ${right} is not allowed`, {
        hint: `\`${vertex.options.name}\` asks for it; if you trust the Dockerfile, build with \`--allow ${right}\``,
      });
    }
  }
}

function wantedBy({ op }: Vertex): readonly string[] {
  if (op.kind !== 'exec') return [];
  const rights = [];
  if (op.network === 'host') rights.push('network.host');
  if (op.security === 'insecure') rights.push('security.insecure');
  return rights;
}
