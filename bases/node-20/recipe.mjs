export const name = 'node:20';

/** As the image `buildpack-deps`, on which the official one stands: what native modules and scripts expect to find. */
const BUILDPACK_DEPS = `
  ca-certificates curl gnupg netbase sq tzdata wget
  git mercurial openssh-client procps subversion
  autoconf automake bzip2 dpkg-dev file g++ gcc imagemagick libtool make patch python3 unzip xz-utils
  default-libmysqlclient-dev libbz2-dev libc6-dev libcurl4-openssl-dev libdb-dev libevent-dev libffi-dev libgdbm-dev
  libglib2.0-dev libgmp-dev libjpeg-dev libkrb5-dev liblzma-dev libmagickcore-dev libmagickwand-dev libmaxminddb-dev
  libncurses5-dev libncursesw5-dev libpng-dev libpq-dev libreadline-dev libsqlite3-dev libssl-dev libwebp-dev
  libxml2-dev libxslt-dev libyaml-dev zlib1g-dev
`;

export async function prepare({ debian, inside, nodeDistribution }) {
  await Promise.all([
    debian('rootfs.tar', {
      packages: BUILDPACK_DEPS.trim().split(/\s+/),
      run: [
        inside('groupadd --gid 1000 node'),
        inside('useradd --uid 1000 --gid node --shell /bin/bash --create-home node'),
      ],
    }),
    nodeDistribution('node', { node: '20.20.2', npm: '10.8.2' }),
  ]);
}
