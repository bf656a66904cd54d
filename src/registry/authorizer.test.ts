import { expect, test } from 'vitest';
import { Authorizer, type TokenDemand } from './authorizer.js';
import { parseChallenges } from './challenge.js';
import type { Credentials } from './credentials.js';

const { signal } = new AbortController();
const own: Credentials = { kind: 'basic', username: 'alice', password: 'wonder:land' };

/** Only the repository `acme/app` has credentials, as podman keeps them. */
function authorizer(): { readonly authorizer: Authorizer; readonly demands: TokenDemand[] } {
  const demands: TokenDemand[] = [];
  return {
    demands,
    authorizer: new Authorizer({
      registry: 'reg.example',
      credentials: { find: async ({ repository }) => (repository === 'acme/app' ? own : undefined) },
      fetchToken: async (demand) => {
        demands.push(demand);
        return { token: `token-${demands.length}`, lifeMs: 60_000 };
      },
    }),
  };
}

const purpose = (repository: string) =>
  ({ scopes: [{ repository, actions: 'pull' }], doing: `pulling \`${repository}\``, signal }) as const;

test('a realm over plain HTTP that served nobody gets no credentials of another repository later', async () => {
  const { authorizer: tls, demands } = authorizer();
  const challenges = parseChallenges('Bearer realm="http://tokens.example/",service="x"');
  expect(await tls.answer(challenges, undefined, true, purpose('public'))).toBe('Bearer token-1');
  const refusal = { code: 'REGISTRY_FAILED', message: expect.stringContaining('over plain HTTP') };
  await expect(tls.header(purpose('acme/app'))).rejects.toMatchObject(refusal);
  await expect(tls.answer(challenges, undefined, true, purpose('acme/app'))).rejects.toMatchObject(refusal);
  expect(demands.map(({ credentials }) => credentials)).toEqual([undefined]);
});

test('a registry that is not protected itself may have its tokens where it likes', async () => {
  const { authorizer: plain, demands } = authorizer();
  const challenges = parseChallenges('Bearer realm="http://tokens.example/",service="x"');
  expect(await plain.answer(challenges, undefined, false, purpose('acme/app'))).toBe('Bearer token-1');
  expect(demands.map(({ credentials }) => credentials)).toEqual([own]);
});
