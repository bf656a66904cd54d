import type { RefView, ViewEntry } from '../layer/ref-view.js';

const ROOT: ViewEntry = { path: '', type: 'dir', mode: 0o755, uid: 0, gid: 0, size: 0, mtime: 0 };

/** `FROM scratch`. */
export class EmptyView implements RefView {
  lstat(path: string): ViewEntry | undefined {
    return path === '' ? ROOT : undefined;
  }
  list(path: string): readonly string[] | undefined {
    return path === '' ? [] : undefined;
  }
  async readFile(): Promise<undefined> {
    return undefined;
  }
  open(path: string): AsyncIterable<Buffer> {
    throw new Error(`no \`${path}\` in an empty file system`);
  }
}
