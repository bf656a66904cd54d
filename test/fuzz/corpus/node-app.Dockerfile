# syntax=docker/dockerfile:1
ARG NODE_VERSION=20
FROM node:${NODE_VERSION}-slim AS base
WORKDIR /app
ENV NODE_ENV=production \
    PATH=/app/node_modules/.bin:$PATH

FROM base AS deps
COPY package.json package-lock.json ./
RUN --mount=type=cache,target=/root/.npm,sharing=locked npm ci --omit=dev

FROM base AS build
COPY . .
RUN npm run build && \
    # a comment inside
    rm -rf test

FROM base
COPY --link --from=deps /app/node_modules ./node_modules
COPY --from=build --chown=node:node /app/dist ./dist
USER node
EXPOSE 3000/tcp
HEALTHCHECK --interval=30s --timeout=3s --start-period=1m --retries=4 CMD ["node", "health.js"]
ENTRYPOINT ["node"]
CMD ["dist/server.js"]
