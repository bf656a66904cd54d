import { expect, test } from 'vitest';
import { buildApp } from '../src/app.js';

test('says that it is healthy', async () => {
  const response = await buildApp().inject('/healthz');
  expect(response.statusCode).toBe(200);
  expect(response.json()).toMatchObject({ status: 'ok' });
});

test('keeps a note and finds it by id and by tag', async () => {
  const app = buildApp();
  const added = await app.inject({ method: 'POST', url: '/notes', payload: { text: ' buy milk ', tags: ['home'] } });
  expect(added.statusCode).toBe(201);
  expect(added.json()).toMatchObject({ text: 'buy milk', tags: ['home'] });

  const location = String(added.headers.location);
  expect((await app.inject(location)).json()).toEqual(added.json());
  expect((await app.inject('/notes?tag=home')).json()).toEqual({ notes: [added.json()] });
  expect((await app.inject('/notes?tag=work')).json()).toEqual({ notes: [] });
});

test.each([{}, { text: '' }, { text: 'x', tags: ['Not a tag'] }, { text: 'x', colour: 'red' }])(
  'refuses %j',
  async (payload) => {
    const response = await buildApp().inject({ method: 'POST', url: '/notes', payload });
    expect(response.statusCode).toBe(400);
    expect(response.json()).toMatchObject({ error: 'invalid request' });
  },
);

test('answers 400 to a body that is not JSON and 404 to an unknown note', async () => {
  const app = buildApp();
  const broken = await app.inject({
    method: 'POST',
    url: '/notes',
    headers: { 'content-type': 'application/json' },
    payload: '{',
  });
  expect(broken.statusCode).toBe(400);
  expect((await app.inject('/notes/none')).statusCode).toBe(404);
});
