import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { layoutFaults } from '../support/check-layout.js';
import { flatten, readImage, readTar, type TreeEntry } from '../support/image.js';
import { makeTar } from '../support/tar.js';
import { diskFacts, treeFacts } from '../support/tree-facts.js';
import { isRoot, test, type Workspace } from '../support/workspace.js';

/** `cap_net_bind_service=ep`, as the kernel stores it (VFS_CAP_REVISION_2). */
const CAPABILITY = Buffer.from('0100000200040000000000000000000000000000', 'hex');
const LONG = `${'long-'.repeat(22)}/${'name-'.repeat(45)}`;
/** Latin-1 `é`, which is not UTF-8, and a UTF-8 one. */
const ODD = 'odd/\xe9-\xc3\xa9';

/** Every kind of change that a layer can hold; devices only where they can be made. */
async function buildAll(work: Workspace, sparseMegabytes = 1): Promise<void> {
  const xattrs = new Map([['security.capability', CAPABILITY]]);
  work.write({
    'special.tar': makeTar([
      { path: 'special', type: 'dir', mode: 0o2755, uid: 1, gid: 2 },
      { path: 'special/capable', mode: 0o755, content: 'capable', xattrs },
      { path: 'special/setuid', mode: 0o4711, uid: 1000, gid: 50, content: 'setuid' },
      { path: 'special/hard', type: 'hardlink', linkname: 'special/setuid', mode: 0o4711, uid: 1000, gid: 50 },
      { path: LONG, content: 'long' },
      { path: `${LONG}-link`, type: 'symlink', linkname: `../${LONG}` },
      { path: ODD, content: 'odd' },
      { path: 'special/fifo', type: 'fifo', mode: 0o622 },
      { path: 'gone/a/b', content: 'b' },
      { path: 'replaced/old', content: 'old' },
      { path: 'was-file', content: 'f' },
    ]),
  });
  const device = isRoot ? ' && mknod /run-null c 1 3' : '';
  work.dockerfile(`FROM busybox
ADD special.tar /
RUN rm -rf /gone/a && rm -rf /replaced && mkdir /replaced && echo new > /replaced/new && rm /was-file && mkdir /was-file
RUN mv /special/hard /special/moved && ln /special/moved /special/second && ln -s nowhere /special/dangling
RUN mkfifo -m 600 /run-fifo && mkdir -m 1777 /sticky && cp /bin/busybox /su && chown 12345:54321 /su && chmod 6755 /su${device}
RUN truncate -s ${sparseMegabytes}M /sparse && echo end >> /sparse && touch -d '2001-02-03 04:05:06' /old && touch -h -d '1969-01-01 00:00:00' /before
RUN rm -rf /home && touch /special/capable.new && mv /special/capable.new /special/touched
COPY --chown=7:8 special.tar /copied.tar
`);
  await work.build();
}

describe('layers, out and back', () => {
  test('the tree is the same by our own reading, in `-o type=tar` and as umoci unpacks it', async ({ work }) => {
    await buildAll(work, 200);
    const archive = work.path('image.oci');
    const output = ['-o', `type=oci,tar=false,dest=${archive}`, '-o', `type=tar,dest=${work.path('tree.tar')}`];
    const built = await work.build(['-t', 'test:tag', ...output]);
    expect(built.ran).toEqual([]);
    expect(await layoutFaults(archive)).toEqual([]);
    expect(await layoutFaults(work.root)).toEqual([]);

    const tree = flatten(readImage(archive, 'tag').layers);
    for (const gone of ['gone/a', 'gone/a/b', 'replaced/old', 'special/hard', 'home', 'home/app']) {
      expect(tree.has(gone), gone).toBe(false);
    }
    expect(tree.get('was-file')?.type).toBe('dir');
    expect(tree.get('special/capable')?.xattrs?.get('security.capability')).toEqual(CAPABILITY);
    expect(tree.get('special/second')?.inode).toBe(tree.get('special/moved')?.inode);
    expect(tree.get('special/second')?.inode).not.toBe(tree.get('special/setuid')?.inode);
    expect(tree.get('sparse')?.size).toBe(200 * 1024 * 1024 + 4);
    expect(tree.get('before')?.mtime).toBe(Date.UTC(1969, 0, 1) / 1000);
    expect(tree.get('su')).toMatchObject({ mode: 0o6755, uid: 12345, gid: 54321 });
    expect(tree.get(ODD)?.content.toString()).toBe('odd');

    const exported = flatten([readTar(readFileSync(work.path('tree.tar')))]);
    expect(treeFacts(withoutEtc(exported))).toEqual(treeFacts(withoutEtc(tree)));

    execFileSync(
      'umoci',
      ['unpack', ...(isRoot ? [] : ['--rootless']), '--image', `${archive}:tag`, work.path('bundle')],
      {
        stdio: 'pipe',
      },
    );
    // As a user umoci keeps neither owners nor capabilities.
    expect(diskFacts(work.path('bundle/rootfs'), isRoot)).toEqual(treeFacts(tree, isRoot));
  });

  test('skopeo inspects it and copies every blob', async ({ work }) => {
    await buildAll(work);
    const built = await work.build(['-o', `type=oci,dest=${work.path('image.tar')}`, '-o', 'type=image']);
    const inspected = JSON.parse(skopeo('inspect', `oci-archive:${work.path('image.tar')}`)) as { Layers: string[] };
    expect(inspected.Layers).toHaveLength(built.diffIds.length);
    const config = JSON.parse(skopeo('inspect', '--config', `oci-archive:${work.path('image.tar')}`)) as object;
    expect(config).toMatchObject({ rootfs: { diff_ids: built.diffIds } });
    skopeo('copy', '-q', `oci-archive:${work.path('image.tar')}`, `dir:${work.path('dir')}`);
    for (const digest of inspected.Layers) {
      const bytes = readFileSync(work.path(`dir/${digest.slice(7)}`));
      expect(`sha256:${createHash('sha256').update(bytes).digest('hex')}`).toBe(digest);
    }
    // The store is a layout that others read as it lies.
    expect(skopeo('inspect', `oci:${work.root}:docker.io/library/test:latest`)).toContain(
      built.image.descriptor.digest,
    );
  });

  test('an image that is packed, unpacked as a base and changed again keeps every entry', async ({ work }) => {
    await buildAll(work);
    const first = await work.build(['-o', `type=oci,tar=false,dest=${work.path('base')}`, '-o', 'type=image']);
    const before = first.tree;
    work.dockerfile('FROM base AS touched\nRUN touch /done\nFROM scratch\nCOPY --from=touched / /\n');
    const second = await work.build(
      ['--build-context', `base=oci-layout://${work.path('base')}`],
      {},
      work.path('other-store'),
    );
    expect(second.image.layers).toHaveLength(1);
    expect(second.tree.has('done')).toBe(true);
    const facts = treeFacts(withoutEtc(second.tree)).filter((line) => !line.includes('"path":"done"'));
    expect(facts).toEqual(treeFacts(withoutEtc(before)));
  });
});

/**
 * RUN takes its mount points in /etc away, but the directory has the time of that in the tree, and no entry in the
 * layer, as with BuildKit.
 */
function withoutEtc(tree: ReadonlyMap<string, TreeEntry>): ReadonlyMap<string, TreeEntry> {
  return new Map([...tree].filter(([path]) => path !== 'etc'));
}

function skopeo(...args: string[]): string {
  return execFileSync('skopeo', args, { encoding: 'utf8', stdio: 'pipe' });
}
