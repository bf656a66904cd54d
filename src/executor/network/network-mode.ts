/**
 * Where a RUN without a network of its own choice gets one: `host` is the machine's, a connector's name makes it a network
 * namespace that the connector connects, and `auto` takes the first connector that works, else the machine's.
 */
export const NETWORK_MODES = ['auto', 'host', 'pasta', 'slirp4netns'] as const;

export type NetworkMode = (typeof NETWORK_MODES)[number];
