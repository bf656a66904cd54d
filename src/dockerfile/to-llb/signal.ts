import { Fault } from '../diagnostic.js';

const NAMES = new Set(
  (
    'ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV STKFLT STOP SYS TERM TRAP ' +
    'TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ RTMIN RTMAX'
  ).split(' '),
);

/** Throws a Fault unless `signal` is a number other than 0 or the name of a Linux signal, with or without `SIG`. */
export function requireSignal(signal: string): void {
  if (/^[-+]?\d+$/.test(signal) ? Number(signal) !== 0 : isName(signal)) return;
  throw new Fault('signal', `invalid signal: ${signal}`, 'write a number or a name, as in `STOPSIGNAL SIGTERM`');
}

function isName(signal: string): boolean {
  const name = signal.toUpperCase().replace(/^SIG/, '');
  const realTime = /^(RTMIN\+|RTMAX-)(\d{1,2})$/.exec(name);
  if (realTime !== null) {
    const offset = Number(realTime[2]);
    return String(offset) === realTime[2] && offset >= 1 && offset <= (realTime[1] === 'RTMIN+' ? 15 : 14);
  }
  return NAMES.has(name);
}
