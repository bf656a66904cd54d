/** Bounds on what comes from outside. Each is far above real use and far below what would hurt. */
export const limits = {
  /** Bytes of a manifest, index or image config. */
  documentBytes: 4 * 1024 * 1024,
  /** Objects and lists within each other in such a document: what goes through it recursively has a stack to end. */
  documentDepth: 100,
  /** Entries of one layer or archive. */
  archiveEntries: 5_000_000,
  /** Bytes of one PAX or GNU long-name header. */
  paxBytes: 1024 * 1024,
  /** Bytes that one compressed layer or archive may unpack to. */
  unpackedBytes: 256 * 1024 ** 3,
  /** Uncompressed bytes per compressed byte, judged once `ratioFloorBytes` have come out. */
  compressionRatio: 2000,
  ratioFloorBytes: 1024 ** 3,
  /** Bytes of one file that is fetched by URL. */
  downloadBytes: 256 * 1024 ** 3,
  /** Redirects followed for one URL. */
  redirects: 10,
  /** Layers of one image. */
  layers: 4096,
  /** Blobs and documents that one image leads to, and indexes within each other. */
  graphNodes: 100_000,
  graphDepth: 4,
  /** Files of an archive of images; each blob is one. */
  imageArchiveFiles: 100_000,
  /** Symlinks followed while one path is resolved (Linux: 40). */
  symlinks: 40,
  /** Parts of the Dockerfile language within each other, as `${a:-${b}}` is. */
  nesting: 256,
  /** UTF-16 units that one word of a Dockerfile may expand to. Linux passes 128 KiB to a process. */
  expandedUnits: 1024 * 1024,
  /** Bytes of a path in a tar entry. */
  pathBytes: 4096,
} as const;
