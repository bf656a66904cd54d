export const name = 'debian:bookworm-slim';

export async function prepare({ debian }) {
  await debian('rootfs.tar', { slim: true });
}
