import type { LayerFact } from '../store/refs.js';
import type { Progress } from './machine.js';

const REPORT_BYTES = 4 * 1024 * 1024;

/** Tells how far a layer is unpacked, every few megabytes: a message for every chunk would cost more than the unpacking. */
export class UnpackReport {
  readonly #layer: Pick<Progress, 'item' | 'total'>;
  readonly #tell: (progress: Progress) => void;
  #told = 0;

  constructor({ diffId, blob }: LayerFact, tell: (progress: Progress) => void = () => undefined) {
    this.#layer = { item: `unpacking ${diffId.slice(7, 19)}`, total: blob.size };
    this.#tell = tell;
  }

  /** `current`: bytes of the blob, as it is stored, that were read so far. */
  readonly update = (current: number): void => {
    if (current - this.#told < REPORT_BYTES) return;
    this.#told = current;
    this.#tell({ ...this.#layer, current, done: false });
  };

  end(): void {
    this.#tell({ ...this.#layer, current: this.#layer.total, done: true });
  }
}
