import type { IncomingMessage } from 'node:http';

const LINE_BYTES = 64 * 1024;

/**
 * What an engine says against the archive that it was sent; undefined when it took it. Engines answer with a stream of
 * JSON documents, a line each, in which an error may come last; or with a status and one document. Throws what the
 * connection says when it ends early.
 */
export async function readLoadAnswer(answer: IncomingMessage): Promise<string | undefined> {
  const isGood = answer.statusCode === 200;
  let refusal: string | undefined;
  const take = (line: string): void => {
    if (line.trim() !== '') refusal ??= isGood ? errorIn(line) : undefined;
  };
  let rest = '';
  answer.setEncoding('utf8');
  for await (const text of answer) {
    rest += text as string;
    if (isGood) {
      const lines = rest.split('\n');
      rest = lines.pop()!;
      lines.forEach(take);
    }
    rest = rest.slice(0, LINE_BYTES);
  }
  if (!answer.complete) throw new Error('the answer ends in the middle');
  if (isGood) take(rest);
  else refusal = messageIn(rest) ?? `status ${answer.statusCode} ${answer.statusMessage ?? ''}`.trim();
  return refusal;
}

function errorIn(line: string): string | undefined {
  const document = parse(line);
  if (!document) return `an answer that is no JSON: ${JSON.stringify(line.slice(0, 100))}`;
  const { error, errorDetail } = document as { error?: unknown; errorDetail?: { message?: unknown } };
  return textOf(errorDetail?.message) ?? textOf(error);
}

function messageIn(body: string): string | undefined {
  const message = textOf(parse(body)?.['message']);
  return message ?? (body.trim() === '' ? undefined : body.trim().slice(0, 500));
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function parse(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
