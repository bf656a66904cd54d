import { posix } from 'node:path';
import { canonicalJson, type Json } from '../../base/canonical-json.js';
import type { JobContext } from '../../job/context.js';
import type { CopyAction, FileAction, FileOp, Vertex } from '../../llb/types.js';
import { digestOf } from '../../oci/digest.js';
import type { CacheMap, CacheMapInput, OpRunner } from '../../solver/types.js';
import type { ContentSelection, FileOpAhead, FileOpRequest } from '../machine.js';
import type { Machines } from '../machines.js';
import type { OpResult } from './result.js';

/** Raised when what the op makes of the same input changes: results of older versions are then not used. */
const OP_VERSION = 1;

/** What comes of the op in its graph. `isBelowNetwork`: a process with a network of its own will stand on it. */
export type FileRole = Pick<FileOpRequest, 'face' | 'isOfImage'> & { readonly isBelowNetwork: boolean };

/**
 * COPY, ADD, WORKDIR: what is written onto counts by its key, what is read by its content, so that a copy stays cached
 * though the stage or the directory it reads from was made again.
 */
export class FileRunner implements OpRunner<OpResult> {
  readonly #op: FileOp;
  readonly #vertex: Vertex;
  readonly #machines: Machines;
  readonly #role: FileRole;
  #ahead: FileOpAhead | undefined;

  constructor(op: FileOp, vertex: Vertex, machines: Machines, role: FileRole) {
    this.#op = op;
    this.#vertex = vertex;
    this.#machines = machines;
    this.#role = role;
  }

  async cacheMap(): Promise<CacheMap<OpResult>> {
    const actions = this.#op.actions.map(forKey);
    return {
      digest: digestOf(canonicalJson({ kind: 'file', version: OP_VERSION, actions } as unknown as Json)),
      inputs: this.#vertex.inputs.map((_, input) => this.#keyedBy(input)),
      lifetime: 'cacheable',
    };
  }

  #keyedBy(input: number): CacheMapInput<OpResult> {
    const isBase = this.#op.actions.some((action) => action.input === input);
    const selections = this.#op.actions.flatMap((one) =>
      one.secondaryInput === input && one.action.type === 'copy' ? [selectionOf(one.action)] : [],
    );
    if (isBase || selections.length === 0) return {};
    return {
      selector: canonicalJson(selections as unknown as Json),
      contentDigest: async (result, job) => {
        if (this.#vertex.inputs.length === 1) {
          this.#ahead = await this.#machines.fileOpAhead(this.#op.actions, [result], this.#made, job);
        }
        const digests = [];
        for (const selection of selections) {
          digests.push(await this.#machines.contentDigest(result, selection, job));
        }
        return digests.length === 1 ? digests[0]! : digestOf(digests.join('\n'));
      },
    };
  }

  async exec(inputs: readonly OpResult[], job: JobContext): Promise<readonly OpResult[]> {
    const ahead = this.#ahead;
    this.#ahead = undefined;
    const refs = await (ahead?.take() ?? this.#machines.fileOp(this.#op.actions, inputs, this.#made, job));
    return refs.map((ref) => ({ kind: 'ref', ref }));
  }

  async leave(): Promise<void> {
    const ahead = this.#ahead;
    this.#ahead = undefined;
    await ahead?.drop();
  }

  get #made(): FileRole & Pick<FileOpRequest, 'description'> {
    return { ...this.#role, description: this.#vertex.options.name };
  }
}

export function selectionOf(action: CopyAction): ContentSelection {
  return {
    paths: [action.src],
    followLinks: action.followSymlink,
    wildcard: action.allowWildcard,
    ...(action.includePatterns && { includePatterns: action.includePatterns }),
    ...(action.excludePatterns && { excludePatterns: action.excludePatterns }),
    ...(action.requiredPaths && { requiredPaths: action.requiredPaths }),
  };
}

/** Of a source path only its last name matters to what is written; what it holds counts by content. */
function forKey(action: FileAction): FileAction {
  if (action.action.type !== 'copy' || /[*?[\\]/.test(action.action.src)) return action;
  return { ...action, action: { ...action.action, src: posix.basename(action.action.src) } };
}
