import { lastError } from './errno.js';
import { libc, type Message } from './libc.js';

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_CMSG_CLOEXEC = 0x40000000;
/** A header of 16 bytes and one descriptor, filled up to 8. */
const CONTROL_BYTES = 24;

/** Two sockets that are connected with each other. */
export function socketPair(): readonly [number, number] {
  const sockets = new Int32Array(2);
  if (libc().socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) !== 0) throw lastError('socketpair');
  return [sockets[0]!, sockets[1]!];
}

/** Gives a descriptor to whoever has the other end of a socket; -1 says that there is none. */
export function sendDescriptor(socket: number, fd: number): void {
  const control = Buffer.alloc(CONTROL_BYTES);
  control.writeBigUInt64LE(20n, 0);
  control.writeInt32LE(SOL_SOCKET, 8);
  control.writeInt32LE(SCM_RIGHTS, 12);
  control.writeInt32LE(fd, 16);
  const sent = libc().sendmsg(socket, message(Buffer.from(fd < 0 ? 'n' : 'y'), fd < 0 ? Buffer.alloc(0) : control), 0);
  if (Number(sent) < 0) throw lastError('sendmsg');
}

/** Takes the descriptor; undefined when there is none, or the other end was closed. Waits for it. */
export function receiveDescriptor(socket: number): number | undefined {
  const control = Buffer.alloc(CONTROL_BYTES);
  const byte = Buffer.alloc(1);
  const got = Number(libc().recvmsg(socket, message(byte, control), MSG_CMSG_CLOEXEC));
  if (got < 0) throw lastError('recvmsg');
  return got === 1 && byte.toString() === 'y' ? control.readInt32LE(16) : undefined;
}

function message(data: Buffer, control: Buffer): Message {
  return {
    name: null,
    nameLength: 0,
    parts: [{ base: data, length: data.length }],
    partCount: 1,
    control,
    controlLength: control.length,
    flags: 0,
  };
}
