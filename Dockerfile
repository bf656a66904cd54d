# Slipway as an image, for containers that build images: `npm run image` builds it with Slipway.

FROM node:20-slim AS build
WORKDIR /slipway
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY scripts/build.mjs scripts/bundle-scripts.mjs scripts/code-cache.mjs scripts/say.mjs scripts/
COPY bin/ bin/
COPY src/ src/
# Of the packages only koffi is not in the bundle; of koffi, what this architecture loads.
RUN node scripts/build.mjs \
    && find dist -name '*.map' -delete \
    && npm prune --omit=dev --ignore-scripts --no-audit --no-fund \
    && mkdir modules \
    && mv node_modules/koffi node_modules/@koromix modules/ \
    && rm -r modules/koffi/doc modules/koffi/lib modules/koffi/vendor modules/@koromix/koffi-linux-*/musl_* \
    && find modules/koffi -type f ! -name '*.js' ! -name '*.cjs' ! -name package.json ! -name LICENSE.txt -delete
COPY LICENSE README.md ./

# The programs that Slipway calls, with the libraries that they load, and a shell with busybox's commands.
FROM debian:bookworm-slim AS system
RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
      binutils busybox-static bzip2 ca-certificates crun git libcap2-bin libstdc++6 openssh-client uidmap xz-utils zstd
COPY --from=node:20-slim /usr/local/bin/node /usr/bin/node
COPY --from=node:20-slim /usr/local/LICENSE /usr/share/doc/node/copyright
COPY scripts/image/ /work/
RUN sh /work/collect.sh /image

FROM scratch
COPY --from=system /image/ /
COPY --from=build /slipway/package.json /slipway/LICENSE /slipway/README.md /opt/slipway/
COPY --from=build /slipway/bin/ /opt/slipway/bin/
COPY --from=build /slipway/modules/ /opt/slipway/node_modules/
COPY --from=build /slipway/dist/ /opt/slipway/dist/
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
# As in kaniko's image: where a job puts credentials and certificates.
ENV DOCKER_CONFIG=/kaniko/.docker
ENV SSL_CERT_DIR=/kaniko/ssl/certs
LABEL org.opencontainers.image.title=Slipway
LABEL org.opencontainers.image.licenses=Apache-2.0
WORKDIR /workspace
ENTRYPOINT ["slipway"]
CMD ["--help"]
