import { randomUUID } from 'node:crypto';
import { z } from 'zod';

export const NewNote = z.strictObject({
  text: z.string().trim().min(1).max(500),
  tags: z
    .array(z.string().regex(/^[a-z0-9-]{1,20}$/))
    .max(5)
    .default([]),
});

export type NewNote = z.infer<typeof NewNote>;

export interface Note extends NewNote {
  readonly id: string;
  readonly createdAt: string;
}

/** Notes in memory, newest last. They are gone when the process ends. */
export class Notes {
  readonly #byId = new Map<string, Note>();

  add(note: NewNote): Note {
    const added = { id: randomUUID(), createdAt: new Date().toISOString(), ...note };
    this.#byId.set(added.id, added);
    return added;
  }

  get(id: string): Note | undefined {
    return this.#byId.get(id);
  }

  list(tag?: string): readonly Note[] {
    const all = [...this.#byId.values()];
    return tag === undefined ? all : all.filter((note) => note.tags.includes(tag));
  }
}
