import { canonicalJson, type Json } from '../../base/canonical-json.js';
import type { JobContext } from '../../job/context.js';
import type { ExecOp, Vertex } from '../../llb/types.js';
import { digestOf } from '../../oci/digest.js';
import type { CacheMap, CacheMapInput, OpRunner } from '../../solver/types.js';
import type { ExecRequest } from '../machine.js';
import type { Machines } from '../machines.js';
import type { OpResult } from './result.js';

/** Raised when what the op makes of the same input changes: results of older versions are then not used. */
const OP_VERSION = 1;

/** RUN: its root counts by key, read-only mounts by content. */
export class ExecRunner implements OpRunner<OpResult> {
  readonly #op: ExecOp;
  readonly #vertex: Vertex;
  readonly #role: Pick<ExecRequest, 'branches' | 'copied'>;
  readonly #machines: Machines;

  constructor(op: ExecOp, vertex: Vertex, role: Pick<ExecRequest, 'branches' | 'copied'>, machines: Machines) {
    this.#role = role;
    this.#op = op;
    this.#vertex = vertex;
    this.#machines = machines;
  }

  async cacheMap(): Promise<CacheMap<OpResult>> {
    const { meta, mounts, network, security } = this.#op;
    const { proxyEnv: _, ...keyed } = meta;
    const op = { kind: 'exec', version: OP_VERSION, meta: keyed, mounts, network, security };
    return {
      digest: digestOf(canonicalJson(op as unknown as Json)),
      inputs: this.#vertex.inputs.map((_input, i) => this.#keyedBy(i)),
      lifetime: 'cacheable',
    };
  }

  #keyedBy(input: number): CacheMapInput<OpResult> {
    const mounts = this.#op.mounts.filter((mount) => mount.input === input);
    const onlyRead = mounts.length > 0 && mounts.every((mount) => mount.readonly && mount.mount.type === 'bind');
    if (!onlyRead) return {};
    const paths = mounts.map((mount) => mount.selector ?? '/');
    return {
      selector: canonicalJson(paths),
      contentDigest: (result, job) =>
        this.#machines.contentDigest(result, { paths, followLinks: true, wildcard: false }, job),
    };
  }

  async exec(inputs: readonly OpResult[], job: JobContext): Promise<readonly OpResult[]> {
    const given = { vertex: this.#vertex.digest, ...this.#role };
    const refs = await this.#machines.exec(this.#op, inputs, given, job);
    return refs.map((ref) => ({ kind: 'ref', ref }));
  }
}
