import * as linux from './linux/inode.js';
import { isLinux } from './platform.js';
import * as portable from './portable/inode.js';

const calls: Pick<typeof linux, 'mknod' | 'mkfifo' | 'lutimes' | 'majorOf' | 'minorOf'> = isLinux ? linux : portable;

/** mknod(2); the process's umask takes bits from the mode. Throws ENOTSUP where only Linux' system calls would do. */
export const mknod = calls.mknod;
/** mkfifo(3), likewise. */
export const mkfifo = calls.mkfifo;
/** Sets access and modification time to the same moment, links not followed. Seconds may be negative. */
export const lutimes = calls.lutimes;
/** Parts of a device number, as `stat` gives it in `rdev`. */
export const majorOf = calls.majorOf;
export const minorOf = calls.minorOf;
