import Fastify, { type FastifyBaseLogger, type FastifyInstance } from 'fastify';
import { z } from 'zod';
import { NewNote, Notes } from './notes.js';

const ListQuery = z.object({ tag: z.string().optional() });

export interface AppOptions {
  readonly logger?: FastifyBaseLogger;
  readonly notes?: Notes;
}

/** The service with its routes, not listening yet. */
export function buildApp({ logger, notes = new Notes() }: AppOptions = {}): FastifyInstance {
  const app: FastifyInstance = logger ? Fastify({ loggerInstance: logger }) : Fastify();

  app.setErrorHandler((error, request, reply) => {
    if (error instanceof z.ZodError) {
      return reply.code(400).send({ error: 'invalid request', issues: z.flattenError(error) });
    }
    if (hasStatus(error) && error.statusCode < 500) {
      return reply.code(error.statusCode).send({ error: error.message });
    }
    request.log.error(error);
    return reply.code(500).send({ error: 'internal error' });
  });

  app.get('/healthz', () => ({ status: 'ok', uptimeSeconds: Math.round(process.uptime()) }));

  app.get('/notes', (request) => ({ notes: notes.list(ListQuery.parse(request.query).tag) }));

  app.get<{ Params: { id: string } }>('/notes/:id', (request, reply) => {
    const note = notes.get(request.params.id);
    return note ?? reply.code(404).send({ error: `no note ${request.params.id}` });
  });

  app.post('/notes', (request, reply) => {
    const note = notes.add(NewNote.parse(request.body));
    return reply.code(201).header('location', `/notes/${note.id}`).send(note);
  });

  return app;
}

function hasStatus(error: unknown): error is Error & { readonly statusCode: number } {
  return error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number';
}
