import { closeSync, readlinkSync } from 'node:fs';
import { workerData } from 'node:worker_threads';
import { type ByteString, fromBytes } from '../../base/bytes.js';
import { hasCode } from '../../base/errors.js';
import { answerLinkCall, awaitInput, stillWaits, takeLinkCall, type LinkCall } from '../../base/linux/link-calls.js';
import { asItsUser, OtherMemory } from '../../base/linux/other-memory.js';
import { receiveDescriptor } from '../../base/linux/pass-descriptor.js';

/** What the thread that answers is given. */
export interface LinkAnswersData {
  /** A socket on which the launcher sends the descriptor to answer on. */
  readonly socket: number;
  /** Of the processes that ask, as this one names it. */
  readonly root: ByteString;
  /** One number, not 0 when it is to end. */
  readonly stop: Int32Array;
}

const PATIENCE_MS = 100;
/** Longer than any path that is answered. */
const PATH_BYTES = 48;

/**
 * Entry of a thread: answers the processes of a RUN, who have no /proc, where its links would lead that tell a program where
 * its own file is. Everything else is left to the kernel, which is asked as if nobody listened. Nothing is kept from
 * anybody by it: a process could have any answer by changing its memory meanwhile.
 */
const { socket, root, stop } = workerData as LinkAnswersData;
const listener = awaitListener();
if (listener !== undefined) {
  try {
    while (!isStopped()) {
      const state = awaitInput(listener, PATIENCE_MS);
      if (state === 'ended') break;
      const call = state === 'ready' ? takeLinkCall(listener) : undefined;
      if (call) answerLinkCall(listener, call.id, answer(listener, call) ?? 'as the kernel does');
    }
  } finally {
    closeSync(listener);
  }
}

function isStopped(): boolean {
  return Atomics.load(stop, 0) !== 0;
}

function awaitListener(): number | undefined {
  try {
    while (!isStopped()) if (awaitInput(socket, PATIENCE_MS) !== 'nothing') return receiveDescriptor(socket);
    return undefined;
  } finally {
    closeSync(socket);
  }
}

/** How many bytes were written to the buffer of the call; undefined where the kernel is to say. */
function answer(fd: number, call: LinkCall): number | undefined {
  const { pid, path, buffer, size } = call;
  try {
    using memory = OtherMemory.open(pid);
    if (!stillWaits(fd, call)) return undefined; // who knows whose memory this is
    const text = fromBytes(memory.read(path, PATH_BYTES));
    const [, whose = '', name] = /^\/proc\/(self|thread-self|\d+)\/(exe|cwd|root)\0/.exec(text) ?? [];
    if (name === undefined) return undefined;
    const asked = whose.endsWith('self') ? pid : Number(whose);
    const link: ByteString = asItsUser(asked, () => readlinkSync(`/proc/${asked}/${name}`, 'latin1'));
    const inside = link === root ? '/' : link.startsWith(`${root}/`) ? link.slice(root.length) : undefined;
    if (inside === undefined) return undefined;
    const bytes = Buffer.from(inside, 'latin1').subarray(0, size);
    memory.write(buffer, bytes);
    return bytes.length;
  } catch (error) {
    // it has ended, or has given addresses that are none, or may not be looked into
    if (hasCode(error, 'ESRCH', 'ENOENT', 'EFAULT', 'EIO', 'EPERM', 'EACCES')) return undefined;
    throw error;
  }
}
