import type { Digest } from '../oci/digest.js';
import type { RegistryRequest, RegistryResponse, Scope, Transport } from './types.js';

export interface EndpointOptions {
  readonly transport: Transport;
  /** The repository's path below `/v2/`. */
  readonly repository: string;
  readonly actions: Scope['actions'];
  /** The registry that a mirror stands for; it is told so with each request, as containerd does. */
  readonly mirrorOf?: string;
}

export interface EndpointRequest extends Omit<RegistryRequest, 'path' | 'scopes'> {
  /** Below the repository (`manifests/latest`), or an absolute URL that the registry gave. */
  readonly to: string;
  /** What the request needs beyond this repository. */
  readonly also?: readonly Scope[];
}

/** One place where a repository can be asked: its own registry, or a mirror of that. */
export class Endpoint {
  readonly host: string;
  /** For messages: `ghcr.io/acme/app`. */
  readonly name: string;
  readonly #options: EndpointOptions;

  constructor(options: EndpointOptions) {
    this.#options = options;
    this.host = options.transport.host;
    this.name = `${options.transport.host}/${options.repository}`;
  }

  async send({ to, also = [], ...request }: EndpointRequest): Promise<RegistryResponse> {
    const { transport, repository, actions } = this.#options;
    return await transport.send({
      ...request,
      path: /^https?:\/\//i.test(to) ? to : this.#path(to),
      scopes: [{ repository, actions }, ...also],
    });
  }

  /** `host/name:tag` or `host/name@digest`. */
  reference(target: { readonly tag?: string | undefined; readonly digest?: Digest | undefined }): string {
    const tag = target.tag === undefined ? '' : `:${target.tag}`;
    return `${this.name}${tag}${target.digest === undefined ? '' : `@${target.digest}`}`;
  }

  #path(to: string): string {
    const { repository, mirrorOf } = this.#options;
    const path = `${repository}/${to}`;
    if (mirrorOf === undefined) return path;
    return `${path}${to.includes('?') ? '&' : '?'}ns=${encodeURIComponent(mirrorOf)}`;
  }
}
