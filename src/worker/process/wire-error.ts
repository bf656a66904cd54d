import { BuildError } from '../../base/errors.js';
import { RunFailedError } from '../run-failed.js';
import type { WireError } from './protocol.js';

export function toWire(error: unknown): WireError {
  if (!(error instanceof Error)) return { code: undefined, message: String(error) };
  const cause = error.cause === undefined ? {} : { cause: toWire(error.cause) };
  if (error instanceof RunFailedError) {
    const exit = {
      code: error.exitCode,
      args: error.args,
      ...(error.exitSignal !== undefined && { signal: error.exitSignal }),
    };
    return { code: error.code, message: error.message, exit, ...(error.hint !== undefined && { hint: error.hint }) };
  }
  if (error instanceof BuildError) {
    return {
      code: error.code,
      message: error.message,
      ...(error.hint !== undefined && { hint: error.hint }),
      ...cause,
    };
  }
  return {
    code: undefined,
    message: error.message,
    ...(error.stack !== undefined && { stack: error.stack }),
    ...cause,
  };
}

export function fromWire(wire: WireError): Error {
  if (wire.exit) return new RunFailedError(wire.exit.code, wire.exit.signal, wire.exit.args, wire.hint);
  const cause = wire.cause && fromWire(wire.cause);
  if (wire.code) {
    return new BuildError(wire.code, wire.message, { cause, ...(wire.hint !== undefined && { hint: wire.hint }) });
  }
  const error = new Error(wire.message, { cause });
  if (wire.stack !== undefined) error.stack = wire.stack;
  return error;
}
