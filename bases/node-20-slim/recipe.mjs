export const name = 'node:20-slim';

export async function prepare({ debian, inside, nodeDistribution }) {
  await Promise.all([
    debian('rootfs.tar', {
      slim: true,
      run: [
        inside('groupadd --gid 1000 node'),
        inside('useradd --uid 1000 --gid node --shell /bin/bash --create-home node'),
      ],
    }),
    nodeDistribution('node', { node: '20.20.2', npm: '10.8.2' }),
  ]);
}
